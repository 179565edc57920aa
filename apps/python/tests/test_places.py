"""Finding the areas of the Eyelet that runs."""

import os
import tempfile
import unittest
from unittest import mock

import eyelet
from fake_owner import FakeOwner


class Finding(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = folder.name

    def environment(self, **values):
        kept = {name: value for name, value in os.environ.items() if not name.startswith("EYELET_")}
        kept.pop("RUNTIME_DIRECTORY", None)
        kept["XDG_RUNTIME_DIR"] = self.folder
        # Nor anything that runs here.
        kept["TMPDIR"] = self.folder
        tempfile.tempdir = None
        self.addCleanup(setattr, tempfile, "tempdir", None)
        return mock.patch.dict(os.environ, {**kept, **values}, clear=True)

    def owner(self, *folders, name="0-camera"):
        folder = os.path.join(self.folder, *folders)
        os.makedirs(folder, exist_ok=True)
        owner = FakeOwner(folder, name)
        self.addCleanup(owner.close)
        return owner

    def test_the_environment_names_areas_by_id_and_file(self):
        with self.environment(EYELET_AREA_0="/x/0-camera", EYELET_AREA_12="/x/12-a-b"):
            self.assertEqual(eyelet.areas(), [(0, "camera", "/x/0-camera"), (12, "a-b", "/x/12-a-b")])
            with self.assertRaisesRegex(eyelet.AreaError, "no area 'b'; there are: 0 camera, 12 a-b"):
                eyelet.Area("b")

    def test_the_runtime_folder_of_the_one_that_runs_is_found(self):
        owner = self.owner("eyelet", "17")
        dead = self.owner("eyelet", "18")
        dead.close()
        with self.environment():
            for area in ("camera", 0, "0"):
                with eyelet.Area(area) as found:
                    self.assertEqual(found.path, owner.path)

    def test_a_folder_of_systemd_s_is_found(self):
        owner = self.owner("service", "17")
        with self.environment(RUNTIME_DIRECTORY=os.path.join(self.folder, "service")):
            self.assertEqual(eyelet.areas()[0].path, owner.path)

    def test_two_that_run_are_ambiguous_and_none_is_an_error(self):
        with self.environment():
            with self.assertRaises(eyelet.AreaError) as raised:
                eyelet.Area(0)
            self.assertEqual(raised.exception.kind, "no-area")
            self.owner("eyelet", "17"), self.owner("eyelet", "18")
            with self.assertRaises(eyelet.AreaError) as raised:
                eyelet.Area(0)
            self.assertEqual(raised.exception.kind, "ambiguous")


if __name__ == "__main__":
    unittest.main()
