"""The texts of the scripts, in the active language."""

from __future__ import annotations

from django.utils.translation import get_language, gettext
from django.utils.translation import gettext_noop as _

#: Each as a script writes it, with its placeholders. A test compares them with the scripts.
TEXTS = (
    # state.js: the pill
    _("live"),
    _("polling"),
    _("paused"),
    _("stale"),
    _("reconnecting"),
    _("refreshing"),
    _("closed"),
    _("can’t be read"),
    _("{state} since {time}"),
    _("every {seconds} s"),
    _("since {time}"),
    _("1 change waits"),
    _("{count} changes wait"),
    _("no reading for {span}: {source} doesn’t answer"),
    _("the database"),
    _("this browser is offline"),
    _("trying now"),
    _("in {seconds} s"),
    _("the cards say why"),
    _("{reason} at {time}"),
    # state.js: the cards
    _("{span} ago"),
    _("just now"),
    _("can’t be read: {reason}"),
    _("stale: no reading for {span}"),
    _("the server can’t be reached"),
    _("as of {time}"),
    # live.faults: the reasons
    _("its view doesn't exist"),
    _("this site may not read its view"),
    _("its view doesn't answer within {seconds} s"),
    _("it has a value that can't be shown"),
    _("it can't be read"),
    # live.js
    _("you were logged out"),
    _("you are no longer allowed"),
    _("this page went out of date"),
    _("log in"),
    _("reload"),
    _("Log in to see this ranking."),
    # board.js
    _("Pause"),
    _("Resume"),
    _("Theme: as the system"),
    _("Theme: light"),
    _("Theme: dark"),
    _("Your choice couldn’t be kept."),
    _("1 row matches, of the leading 50 of each ranking"),
    _("{rows} rows match, of the leading 50 of each ranking"),
    # kiosk.js
    _("The screen may fall asleep: only over HTTPS can a page keep it awake."),
    _("This browser doesn’t keep the screen awake."),
    # settings.js
    _("Move {ranking} up"),
    _("Move {ranking} down"),
    _("Only over HTTPS can a page notify."),
    _("This browser refuses notifications of this site."),
    _("The link is copied."),
    _("The address bar has the link."),
)


def texts() -> dict[str, str]:
    """Return the texts of the scripts in the active language, by how the scripts write them.

    Empty in English, in which the scripts are written.
    """
    if (get_language() or "en").startswith("en"):
        return {}
    return {text: gettext(text) for text in TEXTS}
