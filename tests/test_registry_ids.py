"""Registration numbers: every registry's forms, placeholders, spans."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from compendium.registry_ids import find_ids, parse_id

WRITTEN = [
    ("NCT01234567", "ClinicalTrials.gov", "NCT01234567", "NCT01234567"),
    ("nct 01234567", "ClinicalTrials.gov", "NCT01234567", "NCT01234567"),
    ("NCT1234567", "ClinicalTrials.gov", "NCT01234567", "NCT01234567"),
    ("NCT0000102", "ClinicalTrials.gov", "NCT00000102", "NCT00000102"),
    ("ISRCTN60778781", "ISRCTN", "ISRCTN60778781", "ISRCTN60778781"),
    ("ISRCTN: 60778781", "ISRCTN", "ISRCTN60778781", "ISRCTN60778781"),
    ("ACTRN12613001320741", "ANZCTR", "ACTRN12613001320741", "ACTRN12613001320741"),
    ("ACTRN12624000397516p", "ANZCTR", "ACTRN12624000397516", "ACTRN12624000397516"),
    ("ANZCTR 12613001320741", "ANZCTR", "ACTRN12613001320741", "ACTRN12613001320741"),
    ("DRKS00003681", "DRKS", "DRKS00003681", "DRKS00003681"),
    ("ChiCTR2000029953", "ChiCTR", "ChiCTR2000029953", "ChiCTR2000029953"),
    ("ChiCTR-IPR-15006078", "ChiCTR", "ChiCTR-IPR-15006078", "ChiCTR1500006078"),
    ("CHICTR-TRC-08000123", "ChiCTR", "ChiCTR-TRC-08000123", "ChiCTR0800000123"),
    ("CTRI/2018/02/011890", "CTRI", "CTRI/2018/02/011890", "CTRI/2018/02/011890"),
    ("CTRI/2008/091/000123", "CTRI", "CTRI/2008/091/000123", "CTRI/2008/091/000123"),
    ("UMIN000058559", "JPRN", "JPRN-UMIN000058559", "JPRN-UMIN000058559"),
    ("JPRN-C000000123", "JPRN", "JPRN-C000000123", "JPRN-C000000123"),
    ("jRCTs031180123", "JPRN", "JPRN-jRCTs031180123", "JPRN-jRCTs031180123"),
    ("JPRN-jRCT2031200001", "JPRN", "JPRN-jRCT2031200001", "JPRN-jRCT2031200001"),
    ("JapicCTI-132259", "JPRN", "JPRN-JapicCTI-132259", "JPRN-JapicCTI-132259"),
    ("JMA-IIA00123", "JPRN", "JPRN-JMA-IIA00123", "JPRN-JMA-IIA00123"),
    ("KCT0001234", "KCT", "KCT0001234", "KCT0001234"),
    ("NTR1234", "NTR", "NTR1234", "NTR1234"),
    ("NL8490", "NTR", "NL8490", "NL8490"),
    ("NL-OMON27344", "NL-OMON", "NL-OMON27344", "NL-OMON27344"),
    ("PACTR201207000396277", "PACTR", "PACTR201207000396277", "PACTR201207000396277"),
    ("RBR-8wc8rjq", "REBEC", "RBR-8wc8rjq", "RBR-8wc8rjq"),
    ("RBR-6DC54X", "REBEC", "RBR-6dc54x", "RBR-6dc54x"),
    ("RPCEC00000123", "RPCEC", "RPCEC00000123", "RPCEC00000123"),
    ("SLCTR/2010/005", "SLCTR", "SLCTR/2010/005", "SLCTR/2010/005"),
    ("TCTR20170822003", "TCTR", "TCTR20170822003", "TCTR20170822003"),
    ("IRCT20200317046797N1", "IRCT", "IRCT20200317046797N1", "IRCT20200317046797N1"),
    ("IRCT138711091619N1", "IRCT", "IRCT138711091619N1", "IRCT138711091619N1"),
    ("ITMCTR2000003769", "ITMCTR", "ITMCTR2000003769", "ITMCTR2000003769"),
    ("HKUCTR-1234", "HKUCTR", "HKUCTR-1234", "HKUCTR-1234"),
    ("LBCTR2019010123", "LBCTR", "LBCTR2019010123", "LBCTR2019010123"),
    ("PER-012-19", "REPEC", "PER-012-19", "PER-012-19"),
    ("U1111-1234-5678", "UTN", "U1111-1234-5678", "U1111-1234-5678"),
    ("U1111 1234 5678", "UTN", "U1111-1234-5678", "U1111-1234-5678"),
    ("U1111\u20101234\u20115678", "UTN", "U1111-1234-5678", "U1111-1234-5678"),
    ("2022-501234-12-00", "CTIS", "CTIS2022-501234-12-00", "CTIS2022-501234-12"),
    ("CTIS2022-501234-12-01", "CTIS", "CTIS2022-501234-12-01", "CTIS2022-501234-12"),
    ("2013-002385-39", "EUCTR", "EUCTR2013-002385-39", "EUCTR2013-002385-39"),
    ("EUCTR2015-002340-14-NL", "EUCTR", "EUCTR2015-002340-14-NL", "EUCTR2015-002340-14"),
    ("EUCTR2015-002340-14-3rd", "EUCTR", "EUCTR2015-002340-14-3rd", "EUCTR2015-002340-14"),
    ("2004-000001-12-Outside EU/EEA", "EUCTR", "EUCTR2004-000001-12-3rd", "EUCTR2004-000001-12"),
]


@pytest.mark.parametrize(("written", "registry", "number", "root"), WRITTEN)
def test_every_registry_is_read_in_its_spellings(written, registry, number, root):
    found = parse_id(written)
    assert (found.registry, found.number, found.root) == (registry, number, root)


@pytest.mark.parametrize(
    "nothing",
    [
        "ISRCTN00000000",
        "NCT00000000",
        "DRKS00000000",
        "U1111-0000-0000",
        "2000-000000-00",
        "EUCTR0000-000000-00",
        "RBR-000000",
        "SLCTR/2010/000",
        "KCT0000000",
    ],
)
def test_placeholders_of_zeros_are_refused(nothing):
    assert find_ids(nothing) == []
    assert parse_id(nothing) is None


@pytest.mark.parametrize(
    "other",
    [
        "NL43067.018.13",  # a Dutch ethics file number
        "2022-A02645-38",  # a French ID-RCB number
        "R01DA047954",  # a grant, shared by many trials
        "METC152054",
        "99-N-0022",
        "2020-1234",
        "CR012345",
        "+49 2010-123456-12-3456",
        "PERIOD-012-19",
        "",
    ],
)
def test_sponsor_codes_grants_and_ethics_numbers_are_not_registrations(other):
    assert find_ids(other) == []


def test_numbers_in_a_sentence_are_found_where_they_stand():
    text = "Same study as NCT06442410 (see also ISRCTN 60778781/2013-002385-39-GB)."
    found = find_ids(text)
    assert [text[i.start : i.end] for i in found] == [
        "NCT06442410",
        "ISRCTN 60778781",
        "2013-002385-39-GB",
    ]


def test_lost_leading_zeros_are_understood_only_alone():
    assert parse_id("NCT123456").number == "NCT00123456"
    assert parse_id("12613001320741").number == "ACTRN12613001320741"
    assert find_ids("in 12613001320741 or NCT123456") == []


def test_offices_of_the_japanese_network_are_kept_apart():
    assert parse_id("UMIN000058559").issuer == "JPRN-UMIN"
    assert parse_id("jRCTs031180123").issuer == "JPRN-jRCT"


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.sampled_from([row[0] for row in WRITTEN]), max_size=5),
    st.sampled_from([" ", "; ", ", ", " / ", "\n", " and "]),
)
def test_ids_survive_joining_and_normalising_twice(written, glue):
    text = glue.join(written)
    found = find_ids(text)
    assert [i.number for i in found] == [parse_id(w).number for w in written]
    assert all(parse_id(i.number).number == i.number for i in found)


def test_every_id_of_the_real_exports_is_recognised(shared):
    lines = (shared / "registry/native/ictrp-portal-2020.xml").read_text("utf-8").splitlines()
    ids = [line.split("<TrialID>")[1].split("<")[0] for line in lines if "<TrialID>" in line]
    assert len(ids) == 578
    assert [i for i in ids if parse_id(i) is None] == []
