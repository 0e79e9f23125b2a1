import base64
import gzip
import re

import nibabel as nib
import numpy as np
import pandas as pd
import pytest

from compendium import brains
from compendium.connectome.model import ParcelSpace, VoxelSpace


@pytest.fixture(scope="module")
def blob():
    affine = np.diag([4.0, 4, 4, 1])
    affine[:3, 3] = -90, -126, -72
    data = np.zeros((45, 54, 45), dtype=np.float32)
    data[28:34, 28:34, 20:30] = 0.4  # right hemisphere: x from +22 to +42 mm
    return nib.Nifti1Image(data, affine)


def test_values_are_painted_where_their_locations_lie():
    affine = np.diag([2.0, 2, 2, 1])
    voxels = VoxelSpace((3, 3, 3), affine, np.array([[0, 1, 2], [2, 0, 0]], dtype=np.int32))
    image = brains.location_image(voxels, np.array([5.0, np.nan]))
    assert image.get_fdata()[0, 1, 2] == 5
    assert image.get_fdata().sum() == 5
    labels = np.zeros((2, 2, 2), dtype=np.int32)
    labels[0], labels[1, 0] = 7, 3
    parcels = ParcelSpace(labels, affine, pd.DataFrame({"value": [3, 7], "name": ["a", "b"]}))
    painted = brains.location_image(parcels, np.array([1.0, 2.0])).get_fdata()
    assert (painted[0] == 2).all()
    assert (painted[1, 0] == 1).all()
    assert (painted[1, 1] == 0).all()


def test_the_same_map_is_the_same_picture(blob):
    first = brains.draw_strips([("M1", blob)], limit=0.5)
    assert first == brains.draw_strips([("M1", blob)], limit=0.5)
    assert first.startswith(b"\x89PNG")
    assert first != brains.draw_strips([("M1", blob)], limit=0.5, threshold=0.45)


def test_the_viewer_carries_the_map_and_loads_nothing_from_outside(blob):
    page = brains.viewer_page(blob, title="M1 <script>", limit=0.5, threshold=0.1)
    assert "M1 &lt;script&gt;" in page
    assert re.findall(r'src="([^"]+)"', page) == ["niivue.js"]
    assert "http" not in page
    data = re.search(r'volume\("([^"]+)", "map.nii.gz"', page).group(1)
    image = nib.Nifti1Image.from_bytes(gzip.decompress(base64.b64decode(data)))
    assert image.get_fdata().max() == pytest.approx(0.4)


def test_nilearn_still_ships_the_viewer():
    assert "Niivue" in brains.niivue_script()
