"""The form by which a user declares a ranking."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.utils.text import slugify
from django.utils.translation import gettext, pgettext_lazy
from django.utils.translation import gettext_lazy as _

from live.declared.declarations import Format, Side
from live.history_support import is_kept
from live.models import DeclaredRanking
from live.rankings import RANKINGS, SLUG

if TYPE_CHECKING:
    from live.declared.choices import Columns

#: The numbers of rows that a card can show.
SIZES = (5, 10, 20)
#: Characters of a slug. PostgreSQL's names have 63 bytes, and those of what is kept add 23.
MAX_SLUG_LENGTH = 40
#: Declared rankings of a site. Each is read once a minute, watched or not, for its history.
MAX_DECLARED = 200
#: The largest limit, and its negative the smallest: a crossing ends 5 % inside it, which is finite too.
MAX_LIMIT = 1e300
#: Slugs that are parts of addresses.
RESERVED_SLUGS = frozenset({"new"})


class DeclarationForm(forms.ModelForm):
    """What is declared of a relation, with the columns that it has. Saving sets the slug if it is empty."""

    size = forms.TypedChoiceField(label=_("Rows"), coerce=int, choices=[(size, size) for size in SIZES])
    format = forms.ChoiceField(label=_("Format"), choices=Format.choices)
    ascending = forms.TypedChoiceField(
        # Apps may have another translation of "Order": that of a shop.
        label=pgettext_lazy("of rows", "Order"),
        coerce=lambda text: text == "True",
        choices=[("False", _("Largest first")), ("True", _("Smallest first"))],
        empty_value=None,
    )
    key = forms.ChoiceField(label=_("Key"), help_text=_("Tells the rows apart."))
    measure = forms.ChoiceField(label=_("Measure"), help_text=_("The rows are ranked by it."))
    title = forms.CharField(label=_("Title"), max_length=200)
    slug = forms.CharField(
        label=_("Address"),
        max_length=MAX_SLUG_LENGTH,
        required=False,
        help_text=_("In URLs. Made of the title if it is empty."),
    )
    currency = forms.CharField(
        label=_("Currency"), max_length=3, required=False, help_text=_("Of money: a code such as USD or EUR.")
    )
    alert = forms.ChoiceField(label=_("Alert"), required=False, choices=[("", _("No alert")), *Side.choices])
    limit = forms.FloatField(
        label=_("Limit"),
        required=False,
        help_text=_("Once a minute, each of the leading 50 rows is compared with it."),
    )
    summed = forms.BooleanField(
        label=_("The sum of all means something"),
        required=False,
        initial=True,
        help_text=_("Shares are of it. It doesn't for averages and percentages."),
    )

    class Meta:
        model = DeclaredRanking
        fields: ClassVar = [
            "title",
            "key",
            "measure",
            "ascending",
            "size",
            "format",
            "currency",
            "summed",
            "alert",
            "limit",
            "slug",
        ]

    def __init__(self, columns: Columns, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("label_suffix", "")
        super().__init__(*args, **kwargs)
        self.columns = columns
        # The addresses of what is embedded and shared stay as they are.
        if self.instance.pk is not None:
            self.fields["slug"].disabled = True
            self.fields["slug"].help_text = _("It can’t be changed, because it may be in other pages.")
        # The history is what the rows are compared with their limit by.
        if not is_kept():
            del self.fields["alert"], self.fields["limit"]
        for name, found in (("key", columns.keys), ("measure", columns.measures)):
            field: Any = self.fields[name]
            field.choices = [(column, f"{column} ({kind})") for column, kind in found.items()]
            field.error_messages["invalid_choice"] = _("The column %(value)s can't be chosen here.")

    def clean_title(self) -> str:
        """Refuse a title that is blank, or has characters that end a line."""
        title = " ".join(str(self.cleaned_data["title"]).split())
        if not title.isprintable():
            raise forms.ValidationError(_("Use printable characters only."))
        return title

    def clean_currency(self) -> str:
        """Return the code in capitals."""
        currency = str(self.cleaned_data["currency"]).upper()
        if currency and not re.fullmatch("[A-Z]{3}", currency):
            raise forms.ValidationError(_("Use a code of three letters, such as USD or EUR."))
        return currency

    def clean_slug(self) -> str:
        """Return a slug that no other ranking has, made of the title if none is given."""
        given = str(self.cleaned_data.get("slug") or "")
        if given:
            if not SLUG.fullmatch(given) or given in RESERVED_SLUGS:
                raise forms.ValidationError(
                    _("Use a-z, 0-9 and single hyphens between them, such as top-items.")
                )
            if self._is_taken(given):
                raise forms.ValidationError(_("Another ranking has this address."))
            return given
        base = slugify(str(self.cleaned_data.get("title") or ""))[:MAX_SLUG_LENGTH]
        base = re.sub("[^a-z0-9]+", "-", base).strip("-") or "ranking"
        number, slug = 1, base
        while slug in RESERVED_SLUGS or self._is_taken(slug):
            number += 1
            slug = f"{base[: MAX_SLUG_LENGTH - len(str(number)) - 1].rstrip('-')}-{number}"
        return slug

    def _is_taken(self, slug: str) -> bool:
        if slug == self.instance.slug:
            return False
        return slug in RANKINGS or DeclaredRanking.objects.filter(slug=slug).exists()

    def clean(self) -> dict[str, Any]:
        """Check that the key isn't the measure, that money has a currency, and that there aren't too many."""
        cleaned = super().clean() or {}
        if self.instance.pk is None and DeclaredRanking.objects.count() >= MAX_DECLARED:
            self.add_error(None, gettext("There are as many rankings as there may be. Delete one first."))
        key, measure = cleaned.get("key"), cleaned.get("measure")
        if key and key == measure:
            self.add_error("measure", gettext("Choose another column than the key."))
        if cleaned.get("format") == Format.MONEY:
            if not cleaned.get("currency") and "currency" not in self.errors:
                self.add_error("currency", gettext("Say which currency it is: a code such as USD or EUR."))
        else:
            cleaned["currency"] = ""
        if cleaned.get("alert"):
            self._check_limit(cleaned.get("limit"))
        elif "limit" in self.fields:
            cleaned["limit"] = None
        return cleaned

    def _check_limit(self, limit: float | None) -> None:
        if limit is None and "limit" not in self.errors:
            self.add_error("limit", gettext("Say which limit: a number."))
        elif limit is not None and abs(limit) > MAX_LIMIT:
            self.add_error("limit", gettext("Choose a smaller number."))

    def declared(self) -> DeclaredRanking:
        """Return the row that the valid form declares, not saved yet."""
        row: DeclaredRanking = self.save(commit=False)
        relation = self.columns.relation
        row.schema, row.relation = relation.schema, relation.name
        return row
