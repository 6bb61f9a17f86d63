"""epson_faults.py - what the device of these tests does in place of an answer, by name. Each is called with the
session and the code of the request; true: it was done."""

import random

from epson_blocks import FILL, REPLY_SIZE


def cause_fault(cause, in_page=False):
    def strike(session, code):
        return (session.in_page() or not in_page) and session.error(code, cause)
    return strike


def in_page(what):
    """The fault strikes when part of the page has been sent."""
    def strike(session, code):
        if not session.in_page():
            return False
        what(session, code)
        return True
    return strike


def with_page_end(tokens, leaves):
    """The fault comes in the same reply as the end of the page; leaves: the data state ends."""
    def strike(session, code):
        if session.sent < len(session.device.pages[session.page]):
            return False
        end = session.end_tokens()
        session.page_done()
        session.mode = "X" if leaves else "D"
        session.answer(session.header(code, 0, tokens + end), REPLY_SIZE)
        return True
    return strike


def cancel_at_panel(session, code):
    session.answer(session.header(code, 0, b"#atnCAN "), REPLY_SIZE)


def cancel_event(session, code):
    session.packet(0x9000, b"\x03")
    session.answer(session.header(code), REPLY_SIZE)


def lie_about_packet(session, code):
    session.packet(0xa000, session.header(code), claim=0x7fffffff)
    session.silence()


def half_packet(session, code):
    """The second half of a packet never comes."""
    session.device.talks.append("half")
    session.packet(0xa000, session.header(code)[:REPLY_SIZE // 2], claim=REPLY_SIZE)
    session.silence()


def short_image(session, code):
    """Announces a block, then sends a packet that is smaller."""
    session.answer(session.header(code, 5000) + bytes(4000), REPLY_SIZE)


def long_image(session, code):
    session.answer(session.header(code, 4000) + bytes(4000), REPLY_SIZE)
    session.take(12 + 8)
    session.packet(0xa000, bytes(4001))
    session.silence()


FAULTS = {
    "jam": cause_fault(b"PJ  "),
    "jam-in-page": cause_fault(b"PJ  ", True),
    "cause": lambda s, code: s.in_page() and s.error(code, s.manner.cause),
    "cover-open": cause_fault(b"OPN ", True),
    "double-feed": cause_fault(b"DFED", True),
    "device-error": cause_fault(b"ERR ", True),
    "unknown-error": cause_fault(b"ZZ9 ", True),
    "jam-with-end": with_page_end(b"#errADF PJ  ", True),
    "double-feed-with-end": with_page_end(b"#errADF DFED", True),
    "cancel-with-end": with_page_end(b"#atnCAN ", False),
    "cancel": in_page(cancel_at_panel),
    "cancel-event": in_page(cancel_event),
    "drop": in_page(lambda s, code: s.hang_up()),
    "reset": in_page(lambda s, code: s.hang_up(reset=True)),
    "event-a0": in_page(lambda s, code: s.hang_up(0xa0)),
    "event-80": in_page(lambda s, code: s.hang_up(0x80)),
    "event-02": in_page(lambda s, code: s.hang_up(0x02)),
    "silence": in_page(lambda s, code: s.silence()),
    "endless-polls": in_page(lambda s, code: s.answer(s.header(code), REPLY_SIZE)),
    "garbage": in_page(lambda s, code: s.stream.sendall(random.Random(3).randbytes(20000))),
    "huge-image": in_page(lambda s, code: s.answer(code + b"x7FFFFFF" + FILL * 13, REPLY_SIZE)),
    "huge-packet": in_page(lie_about_packet),
    "half-packet": in_page(half_packet),
    "short-image": in_page(short_image),
    "long-image": in_page(long_image),
    "reserved": in_page(lambda s, code: s.answer(s.header(code, 0, b"#nrdRSVD"), REPLY_SIZE)),
    "two-sided": in_page(lambda s, code: s.answer(
        s.header(code, 3, b"#typIMGB") + b"abc", REPLY_SIZE)),
    "wrong-code": in_page(lambda s, code: s.answer(s.header(b"STAT"), REPLY_SIZE)),
    "unknown-code": in_page(lambda s, code: s.answer(s.header(b"UNKN"), REPLY_SIZE)),
}
