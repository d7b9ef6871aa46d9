"""Bad files first: every fault is found, with file, line, column and reason. Then what good files say."""

import pytest

from escalation.customers.csv_files import Fault, read_table
from escalation.customers.ranges import parse_range
from escalation.customers.records import Records, read_records

LOCALES = ("en", "sl")


def records(*contents: str | bytes) -> Records:
    raw = [content.encode() if isinstance(content, str) else content for content in contents]
    return read_records([read_table(f"{n}.csv", content) for n, content in enumerate(raw, 1)], LOCALES)


def faults(*contents: str | bytes) -> list[tuple[int, str, str]]:
    return [(fault.line, fault.column, fault.reason) for fault in records(*contents).faults]


ACCOUNTS = "account_no,name,language,zone,tags\n"
CUSTOMERS = "account_no,ref,name,email,email_verified,rights\n"
SERVICES = "account_no,service_ref,order_no,name,ips\n"
ADDRESSES = "account_no,kind,email,language,digest\n"


@pytest.mark.parametrize(
    ("content", "line", "column", "reason"),
    [
        (b"", 1, "", "the file is empty"),
        (b"\n\n", 1, "", "the file is empty"),
        ("account_no,name\nA1,\u010cebela\n".encode("cp1250"), 2, "", "not UTF-8"),
        ("account_no,name\nA1,B".encode("utf-16"), 1, "", "not UTF-8"),
        (b"account_no,name\nA1,a\0b\n", 2, "", "NUL"),
        (b'account_no,name\nA1,ok\nA2,"open\n', 3, "", "quotes"),
        (b"number,title\n1,2\n", 1, "", "no kind of file"),
        (b"account_no,name,colour\nA1,B,red\n", 1, "colour", "no such column"),
        (b"account_no,name,\nA1,B,\n", 1, "(no name)", "no such column"),
        (b"account_no,name,name\nA1,B,C\n", 1, "name", "twice"),
        (b"account_no,service_ref\nA1,s1\n", 1, "name", "need this column"),
        (b"account_no,name\nA1,B,C\n", 2, "", "3 cells"),
        (b"account_no,name\n\nA1,B\nA1,C\n", 4, "account_no", "the same row stands in 1.csv:3"),
        (b'account_no,name\nA1,"two\nlines"\n', 2, "name", "control character"),
        (ACCOUNTS + ",No number,,,\n", 2, "account_no", "empty"),
        (ACCOUNTS + "A1,,,,\n", 2, "name", "empty"),
        (ACCOUNTS + f"A1,{'x' * 201},,,\n", 2, "name", "longer than 200"),
        (ACCOUNTS + f"A1,{'x' * 20_001},,,\n", 2, "name", "more than 20000"),
        (ACCOUNTS + "A1,B,de,,\n", 2, "language", "not offered"),
        (ACCOUNTS + "A1,B,sl,Europe/Lublana,\n", 2, "zone", "no time zone"),
        (CUSTOMERS + "A1,,Ann,,,\n", 2, "ref", "empty"),
        (CUSTOMERS + "A1,c1,Ann,ann@,,\n", 2, "email", "no e-mail address"),
        (CUSTOMERS + "A1,c1,Ann,ann@example.com,perhaps,\n", 2, "email_verified", "neither yes nor no"),
        (CUSTOMERS + "A1,c1,Ann,,yes,\n", 2, "email_verified", "no address"),
        (CUSTOMERS + "A1,c1,Ann,,,everything\n", 2, "rights", "no right"),
        (SERVICES + "A1,,#1,VPS,\n", 2, "service_ref", "empty"),
        (SERVICES + "A1,s1,12a4,VPS,\n", 2, "order_no", "no order number"),
        (SERVICES + "A1,s1,##12,VPS,\n", 2, "order_no", "no order number"),
        (SERVICES + "A1,s1,1,VPS,192.0.2.1/24\n", 2, "ips", "write 192.0.2.0/24"),
        (ADDRESSES + "A1,postal,a@example.com,,\n", 2, "kind", "no kind"),
        (ADDRESSES + "A1,billing,,,\n", 2, "email", "empty"),
        (ADDRESSES + "A1,billing,a@example.com,,often\n", 2, "digest", "neither yes nor no"),
    ],
)
def test_a_bad_line_is_named(content: str | bytes, line: int, column: str, reason: str) -> None:
    found = faults(content)
    assert len(found) == 1, found
    assert found[0][:2] == (line, column)
    assert reason in found[0][2]


def test_all_faults_of_all_files_are_listed() -> None:
    found = records(ACCOUNTS + "A1,,de,,\nA2,B,sl,Nowhere,\n", CUSTOMERS + "A1,c1,Ann,ann,,\n").faults
    assert [(fault.file, fault.line, fault.column) for fault in found] == [
        ("1.csv", 2, "name"),
        ("1.csv", 2, "language"),
        ("1.csv", 3, "zone"),
        ("2.csv", 2, "email"),
    ]


def test_a_line_counts_from_the_top_whatever_is_quoted_above() -> None:
    # The faulty name spans two lines, so the next row is the fourth line.
    assert [fault[0] for fault in faults('account_no,name\nA1,"x\ny"\nA2,\n')] == [2, 4]


def test_a_fault_reads_as_a_place_and_a_reason() -> None:
    assert str(Fault("a.csv", 3, "ips", "x is no IP address")) == "a.csv:3: ips: x is no IP address"
    assert str(Fault("services", 0, "", "too few")) == "services: too few"


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
@pytest.mark.parametrize("delimiter", [",", ";"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_bom_delimiter_and_line_end_are_as_they_come(mark: bytes, delimiter: str, end: str) -> None:
    rows = [["Account_No", "service_ref", "name", "order_no", "ips"]]
    rows.append(["A1", "s1", '"VPS, 2; Čebela"', "#123456", '"192.0.2.1, 2001:DB8::/64"'])
    found = records(mark + end.join(delimiter.join(row) for row in rows).encode())
    assert found.faults == []
    values = found.of("services")[("s1",)].values
    assert (values["name"], values["order_no"]) == ("VPS, 2; Čebela", "123456")
    assert values["ips"] == {parse_range("192.0.2.1"), parse_range("2001:db8::/64")}


def test_what_a_file_does_not_say_is_not_in_the_record() -> None:
    assert records("account_no,name\nA1,B\n").of("accounts")[("A1",)].values == {"account_no": "A1", "name": "B"}


def test_an_address_is_normalised_and_kept_as_written() -> None:
    values = records(CUSTOMERS + "A1,c1,Ann,Ann@EXAMPLE.com,da,tickets billing\n").of("customers")[("c1",)].values
    assert values["email"] == ("ann@example.com", "Ann@EXAMPLE.com")
    assert (values["email_verified"], values["rights"]) == (True, {"tickets", "billing"})
