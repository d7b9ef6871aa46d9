"""Headers of mail: what strangers write stays one line, and a thread stays one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from escalation.mail.headers import ascii_domain, mail_key, message_id, one_line, references, ticket_subject


@given(st.text())
def test_nothing_ends_a_header(text: str) -> None:
    plain = one_line(text)
    assert plain.splitlines() in ([], [plain])
    assert not set(plain) & set("\0\r\n\u202e\u2066\u200b\ufeff")
    plain.encode("utf-8")


@pytest.mark.parametrize(
    ("subject", "shown"),
    [
        ("Server down", "[T-26-000001] Server down"),
        ("Re: Fwd: re: Server down", "[T-26-000001] Server down"),
        ("Odg: [T-26-000001] AW: Posr: Strežnik", "[T-26-000001] Strežnik"),
        ("RE[2]: x\r\nBcc: all@example.com", "[T-26-000001] x Bcc: all@example.com"),
        ("Reboot: it hangs", "[T-26-000001] Reboot: it hangs"),
        ("", "[T-26-000001]"),
    ],
)
def test_the_subject_of_a_ticket(subject: str, shown: str) -> None:
    assert ticket_subject("T-26-000001", subject) == shown


def test_an_id_is_the_same_for_the_same_and_nobody_else_makes_it() -> None:
    key, other = mail_key("a" * 40), mail_key("b" * 40)
    made = message_id(key, "t.T-26-000001.2", "ann@example.com", "acme.example")
    assert made == message_id(key, "t.T-26-000001.2", "ann@example.com", "acme.example")
    assert made.startswith("<t.T-26-000001.2.")
    assert made.endswith("@acme.example>")
    differing = {
        message_id(other, "t.T-26-000001.2", "ann@example.com", "acme.example"),
        message_id(key, "t.T-26-000001.3", "ann@example.com", "acme.example"),
        message_id(key, "t.T-26-000001.2", "bob@example.com", "acme.example"),
    }
    assert made not in differing
    assert len(differing) == 3


def test_a_long_thread_keeps_its_first_and_last() -> None:
    ids = [f"<{n}@x>" for n in range(40)]
    assert references(ids).split() == [*ids[:10], *ids[-10:]]
    assert references(ids[:20]).split() == ids[:20]


def test_a_domain_is_written_as_dns_has_it() -> None:
    assert ascii_domain("ann@račun.example") == "ann@xn--raun-hua.example"
    assert ascii_domain("žan@example.com") == "žan@example.com"
