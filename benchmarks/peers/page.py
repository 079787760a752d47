"""The page of those peers that push and have no page of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.http import HttpResponse

if TYPE_CHECKING:
    from django.http import HttpRequest

PAGE = """<!doctype html><title>Rankings</title><body><script>
const show = event => {
  const {ranking, title, rows} = JSON.parse(event.data);
  let table = document.getElementById(ranking);
  if (!table) {
    table = document.createElement("table");
    table.id = ranking;
    document.body.append(table);
  }
  table.innerHTML = `<caption>${title}</caption>`
    + rows.map(row => `<tr><td>${row.rank}<td>${row.name}<td>${row.display}`).join("");
};
%s
</script>"""


def page(connect: str):
    """Return a view of the page. The script `connect` connects and passes each event to `show`."""

    def view(_request: HttpRequest) -> HttpResponse:
        return HttpResponse(PAGE % connect)

    return view
