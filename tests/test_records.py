import shutil

import pandas as pd
import pytest

from compendium.errors import InputError
from compendium.normalise.countries import read_country_aliases
from compendium.record_schema import COLUMNS, SCHEMA
from compendium.records import read_record_table, read_records
from compendium.tables import write_table

SNAPSHOTS = ("background", "ctgov-2020-07-28", "ictrp-other-registries")


@pytest.fixture(scope="session")
def aliases(root):
    return read_country_aliases(root / "data" / "protocol" / "countries.csv")


@pytest.fixture(scope="session")
def embedded(root, aliases):
    return read_records([root / "data" / "snapshot" / name for name in SNAPSHOTS], aliases)


def test_every_embedded_record_is_read_and_none_is_set_aside(embedded):
    assert embedded.quarantine.empty
    assert embedded.records.groupby("snapshot_id").size().to_dict() == {
        "background": 204,
        "ctgov-2020-07-28": 328,
        "ictrp-other-registries": 168,
    }
    assert tuple(embedded.records.columns) == COLUMNS
    SCHEMA.validate(embedded.records)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_the_table_comes_back_from_disk_as_it_was(embedded, tmp_path, suffix):
    path = write_table(embedded.records, tmp_path / f"records{suffix}")
    pd.testing.assert_frame_equal(read_record_table(path), embedded.records)


def test_unknown_is_not_no(embedded):
    sample = embedded.records.query("snapshot_id == 'ctgov-2020-07-28'")
    assert sample["results"].value_counts().to_dict() == {"no": 235, "yes": 48, "unknown": 45}
    assert sample["countries_coverage"].value_counts().to_dict() == {
        "complete": 267,
        "unknown": 51,
        "partial": 10,
    }
    assert sample["phase"].isna().sum() == 20
    assert (sample["phase"] == "NA").sum() == 234


def test_every_country_of_the_embedded_records_is_resolved(embedded):
    unresolved = [f for flags in embedded.records["flags"] for f in flags if "unresolved" in f]
    assert unresolved == []


def test_one_changed_byte_is_refused_by_file_name(root, tmp_path, aliases):
    folder = tmp_path / "snapshot"
    shutil.copytree(root / "data" / "snapshot" / "ctgov-2020-07-28", folder)
    page = folder / "page-0003.json"
    content = bytearray(page.read_bytes())
    content[1000] ^= 1
    page.write_bytes(content)
    with pytest.raises(InputError, match=r"page-0003\.json: the file is not the one"):
        read_records([folder], aliases)
