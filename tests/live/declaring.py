"""What the tests of declared rankings share: a database with a table, and users who may declare some."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
from django.contrib.auth.models import Permission, User
from django.db import connections
from django.test import AsyncClient

from live.declared.registry import get_registry
from live.models import DeclaredRanking
from live.rankings import RANKINGS, RelationRanking
from tests.live.hubs import in_thread

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from django_risingwave.base import DatabaseWrapper

SALES = {
    "schema": "public",
    "relation": "sales",
    "key": "product",
    "measure": "amount",
    "title": "products by sales",
    "ascending": "False",
    "size": "5",
    "format": "money",
    "currency": "eur",
    "summed": "on",
}
NEW = "/rankings/new/"


@pytest.fixture
async def user_rankings(settings) -> AsyncIterator[None]:
    """Let users declare rankings, and forget these after the test."""
    settings.LIVE_USER_RANKINGS = True
    yield
    registry = get_registry()
    registry.rest()
    # A read that is running would bring them back.
    if registry.reloading is not None:
        await registry.reloading
    for slug in [slug for slug, ranking in RANKINGS.items() if isinstance(ranking, RelationRanking)]:
        del RANKINGS[slug]
    await in_thread(dict)()  # Closes the connections of its thread.


@pytest.fixture
def sales(standin: DatabaseWrapper, transactional_db: None) -> DatabaseWrapper:
    """A database with a table to rank."""
    with standin.cursor() as cursor:
        cursor.execute("CREATE TABLE sales (product varchar, amount numeric, sold_at timestamptz)")
        cursor.execute("INSERT INTO sales VALUES ('Tea', 20.5), ('Coffee', 1234.4), ('Milk', NULL)")
        cursor.execute("CREATE TABLE words (word varchar)")
    return standin


def make_user(name: str, *permissions: str) -> AsyncClient:
    user = User.objects.create_user(name)
    user.user_permissions.set(Permission.objects.filter(codename__in=permissions))
    client = AsyncClient()
    client.force_login(user)
    return client


@pytest.fixture
def declarer(transactional_db: None) -> AsyncClient:
    """The session of a user who may declare rankings."""
    return make_user("ada", "add_ranking")


def text(response: Any) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


def execute(statement: str) -> None:
    with connections["risingwave"].cursor() as cursor:
        cursor.execute(statement)


async def declare(client: AsyncClient, **changes: str) -> DeclaredRanking:
    response = await client.post(NEW, SALES | changes)
    assert response.status_code == 302, text(response)
    return await DeclaredRanking.objects.alatest("pk")
