"""The pages on which users declare, change and delete rankings."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlencode

from django.contrib.auth.views import redirect_to_login
from django.db import Error, IntegrityError
from django.http import Http404, HttpResponseRedirect
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods

from django_risingwave.readable import Relation
from live.cards import Card
from live.conf import live_settings
from live.declared import keeping, permissions, saving
from live.declared.choices import find_page
from live.declared.declarations import ranking_of
from live.declared.registry import refresh
from live.declared.sessions import ask, change
from live.faults import reason_for, translated
from live.loops import on_hubs_loop
from live.refusals import page_refusal, refuse_with
from live.users import database as users_database

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from django.http import HttpRequest, HttpResponseBase

    from django_risingwave.base import DatabaseWrapper
    from live.models import DeclaredRanking

#: How long a page waits until leading rows are made. They go on to be made afterwards.
DDL_WAIT_SECONDS = 10.0

#: What makes or drops leading rows: a task that nobody knows may be collected before it has ended.
_running: set[asyncio.Future[str]] = set()


@require_http_methods(["GET", "HEAD", "POST"])
@refuse_with(page_refusal)
async def add_ranking(request: HttpRequest) -> HttpResponseBase:
    """Let a user choose a relation and declare a ranking of it."""
    if refused := await _refused(request, partial(permissions.may_add, request), "Can add rankings"):
        return refused
    return await _declare(request, None)


@require_http_methods(["GET", "HEAD", "POST"])
@refuse_with(page_refusal)
async def change_ranking(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Let a user change a declared ranking."""
    row = await _find(request, slug)
    if refused := await _refused(
        request, partial(permissions.may_change, request, slug), "Can change rankings"
    ):
        return refused
    return await _declare(request, row)


@require_http_methods(["GET", "HEAD", "POST"])
@refuse_with(page_refusal)
async def delete_ranking(request: HttpRequest, slug: str) -> HttpResponseBase:
    """Delete a declared ranking, once the user has confirmed it."""
    row = await _find(request, slug)
    if refused := await _refused(
        request, partial(permissions.may_delete, request, slug), "Can delete rankings"
    ):
        return refused
    if request.method != "POST":
        is_kept = False
        with suppress(Error, OSError):  # One can delete a ranking that can't be read.
            is_kept = await ask(partial(keeping.may_drop, ranking=ranking_of(row)))
        return render(request, "live/delete_ranking.html", {"row": row, "is_kept": is_kept})
    await ask(partial(saving.delete, row=row))
    if "drop" in request.POST:
        await _run(partial(saving.drop, ranking=ranking_of(row)))
    await on_hubs_loop(request, refresh())
    return HttpResponseRedirect(reverse("live:dashboard"))


async def _find(request: HttpRequest, slug: str) -> DeclaredRanking:
    """Return the row of a ranking. Raises Http404, also for one of the code, which nobody can change here."""
    row = None
    if live_settings.USER_RANKINGS:
        row = await users_database.ask(saving.rows(slug).afirst)
    if row is None:
        raise Http404(f"No user has declared a ranking {slug}.")
    return row


async def _refused(
    request: HttpRequest, is_allowed: Callable[[], Awaitable[bool]], permission: str
) -> HttpResponseBase | None:
    """Return the answer to a user who may not do this, with the permission's name; None for one who may."""
    if not live_settings.USER_RANKINGS:
        raise Http404("LIVE_USER_RANKINGS is off.")
    if await is_allowed():
        return None
    user = await users_database.ask(request.auser)
    if not user.is_authenticated:
        return redirect_to_login(request.get_full_path())
    message = gettext("You may not do this. Ask an administrator for the permission “%(permission)s”.") % {
        "permission": permission
    }
    return page_refusal(request, 403, message)


async def _declare(request: HttpRequest, row: DeclaredRanking | None) -> HttpResponseBase:
    data = request.POST if request.method == "POST" else request.GET
    if row is not None and "relation" not in data:
        relation = Relation(row.schema, row.relation)
    elif "relation" in data:
        relation = Relation(data.get("schema", ""), data["relation"])
    else:
        return await _choose(request, row)
    try:
        draft = await ask(partial(saving.draft, data=data, row=row, relation=relation))
    except saving.NotOfferedError as error:
        if row is not None and "relation" not in data:
            # It has been dropped or renamed: the user may choose another one.
            return await _choose(request, row, str(error))
        return page_refusal(request, 404, str(error))
    except users_database.UsersUnavailableError:
        raise
    except (Error, OSError) as error:
        return _unreachable(request, error)
    problem = draft.problem
    is_saving = request.method == "POST" and "preview" not in data
    if is_saving and draft.form.is_valid():
        keeps = "keep" in data and bool(draft.statements)
        # One that takes too long to be read may be saved if its leading rows are made.
        if draft.preview is not None or keeps:
            saved, problem = await _save(request, draft, keeps=keeps, drops="drop" in data)
            if saved is not None and not problem:
                return HttpResponseRedirect(reverse("live:ranking", args=[saved.slug]))
            row = saved or row
    context = {
        "row": row,
        "draft": draft,
        "form": draft.form,
        "relation": relation,
        "problem": problem,
        "keeps": "keep" in data,
        "drops": "drop" in data,
        "card": draft.preview and Card(draft.preview.snapshot.ranking, draft.preview.snapshot, None),
    }
    return render(request, "live/declare.html", context, status=400 if is_saving else 200)


async def _save(
    request: HttpRequest, draft: saving.Draft, *, keeps: bool, drops: bool
) -> tuple[DeclaredRanking | None, str]:
    """Save what a valid form declares; return it, and why its leading rows can't be made.

    Another user may have taken the address since the form was checked: then it is None, and the form says so.
    """
    saved = draft.form.declared()
    user = await users_database.ask(request.auser)
    try:
        await ask(partial(saving.save_for, row=saved, owner_id=user.pk))
    except IntegrityError:
        draft.form.add_error("slug", gettext("Another ranking has this address."))
        return None, ""
    problem = await _run(partial(saving.keep, row=saved)) if keeps else ""
    await on_hubs_loop(request, refresh())
    if drops and draft.former is not None:
        await _run(partial(saving.drop, ranking=draft.former))
    return saved, problem


async def _choose(request: HttpRequest, row: DeclaredRanking | None, problem: str = "") -> HttpResponseBase:
    """Show the relations that the user can choose from, and why another one must be chosen."""
    search = request.GET.get("search", "")[:200]
    number = request.GET.get("page", "1")
    page = int(number) if number.isascii() and number.isdigit() and 0 < len(number) < 6 else 1
    try:
        found = await ask(partial(find_page, search=search, number=max(page, 1)))
    except users_database.UsersUnavailableError:
        raise
    except (Error, OSError) as error:
        return _unreachable(request, error)
    relations = [
        (relation, kind, urlencode({"schema": relation.schema, "relation": relation.name}))
        for relation, kind in found.relations
    ]
    context = {"page": found, "relations": relations, "search": search, "row": row, "problem": problem}
    return render(request, "live/choose_relation.html", context)


async def _run(statements: Callable[[DatabaseWrapper], str]) -> str:
    """Make or drop leading rows; return why that failed, "" if it hasn't failed so far."""
    running = asyncio.ensure_future(change(statements))
    _running.add(running)
    running.add_done_callback(_running.discard)
    done, _ = await asyncio.wait([running], timeout=DDL_WAIT_SECONDS)
    return running.result() if done else ""


def _unreachable(request: HttpRequest, error: Exception) -> HttpResponseBase:
    reason = translated(reason_for(error))
    return page_refusal(
        request, 503, gettext("The database of the rankings can't be asked: %(reason)s.") % {"reason": reason}
    )
