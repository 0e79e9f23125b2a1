from pathlib import Path

import pandas as pd
import pytest

from compendium.errors import InputError
from compendium.files import replacing
from compendium.tables import read_table, write_table


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_a_table_comes_back_with_its_lists_and_its_words(tmp_path, suffix):
    table = pd.DataFrame(
        {
            "record_id": pd.array(["NCT1", "NCT2", "NCT3"], dtype="string"),
            "phase_raw": pd.array(["N/A", pd.NA, "NA"], dtype="string"),
            "conditions": [("Pain", 'a "quoted", one'), (), ("نص",)],
            "enrolment": pd.array([20, pd.NA, 3], dtype="Int64"),
        }
    )
    path = write_table(table, tmp_path / f"records{suffix}")
    back = read_table(path, lists=("conditions",), integers=("enrolment",))
    pd.testing.assert_frame_equal(back, table)


def test_an_unknown_suffix_is_refused_with_the_ones_that_work(tmp_path):
    with pytest.raises(InputError, match=r"\.csv or \.parquet"):
        write_table(pd.DataFrame({"a": [1]}), tmp_path / "records.xlsx")


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("old")
    with pytest.raises(ZeroDivisionError), replacing(path) as stream:
        stream.write(f"half {1 / 0}")
    assert path.read_text() == "old"
    assert [p.name for p in tmp_path.iterdir()] == ["a.csv"]


def test_a_folder_that_takes_no_files_is_named():
    if not Path("/proc").is_dir():
        pytest.skip("this machine has no such folder")
    with pytest.raises(InputError, match="/proc: no file can be made"), replacing(Path("/proc/x")):
        pass
