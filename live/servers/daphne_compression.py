"""Compresses what Daphne's WebSockets send: permessage-deflate. Imported only where Daphne runs.

https://www.rfc-editor.org/rfc/rfc7692
"""

from __future__ import annotations

import zlib
from typing import TYPE_CHECKING

from autobahn.websocket.compress import PerMessageDeflateOffer, PerMessageDeflateOfferAccept

from live.protocol import MAX_CLIENT_MESSAGE_BYTES

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Base-2 logarithm of how far back a compressed message refers: 4 KiB. All clients that accept that much get
#: the same bytes. The Python library websockets offers exactly that, browsers 32 KiB, by which a card of five
#: rows is no smaller.
WINDOW_BITS = 12
#: Bytes below which a message is sent as it is: compressed, most of them are no smaller.
MIN_BYTES = 128
#: Bytes at the end of a compressed message that aren't sent. RFC 7692, 7.2.1.
SYNC_FLUSH_TAIL = b"\x00\x00\xff\xff"


def accept(offers: Sequence[object]) -> PerMessageDeflateOfferAccept | None:
    """Return how to compress, by the first of a client's offers that can be accepted, or None.

    No message refers to the ones before it, in either direction, so each is compressed once for all readers,
    and a socket needs no memory for a compressor. What a message has is the same for all readers and no
    secret, so that its compressed size tells nobody anything (CRIME, BREACH). Messages of clients may be no
    larger than they may be without compression.
    """
    for offer in offers:
        if isinstance(offer, PerMessageDeflateOffer) and (
            offer.request_max_window_bits == 0 or offer.request_max_window_bits >= WINDOW_BITS
        ):
            # A server may choose this unasked (RFC 7692, 7.1.1.1); Autobahn answers what the offer has.
            offer.request_no_context_takeover = True
            return PerMessageDeflateOfferAccept(  # type: ignore[no-untyped-call]
                offer, request_no_context_takeover=True, max_message_size=MAX_CLIENT_MESSAGE_BYTES
            )
    return None


def deflated(data: bytes) -> bytes | None:
    """Return a message as it is sent compressed, or None if that isn't smaller."""
    if len(data) < MIN_BYTES:
        return None
    compressor = zlib.compressobj(wbits=-WINDOW_BITS, memLevel=9)
    compressed = compressor.compress(data) + compressor.flush(zlib.Z_SYNC_FLUSH)
    compressed = compressed.removesuffix(SYNC_FLUSH_TAIL)
    return compressed if len(compressed) < len(data) else None
