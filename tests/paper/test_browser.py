# SPDX-License-Identifier: BSD-2-Clause
"""The report of the study in a browser, Chromium without a window, as wide as a telephone and as a
desk: every picture is there and not blank, every curve lies within its chart, nothing sticks out of
the page. CAE_PAPER and CAE_TOOL name the programs; CHROMIUM may name the browser. Exits with 77
where there is none.
"""

import html
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

BROWSER = os.environ.get("CHROMIUM") or shutil.which("chromium")
if not BROWSER:
    sys.exit(77)

# Looks at the page from inside a frame and tells the page around it.
LOOK = """
<script>
function look() {
  const found = {width: innerWidth, page: document.documentElement.scrollWidth};
  found.images = [...document.images].map(image => {
    const canvas = document.createElement('canvas');
    canvas.width = image.naturalWidth; canvas.height = image.naturalHeight;
    const context = canvas.getContext('2d');
    context.drawImage(image, 0, 0);
    const data = context.getImageData(0, 0, canvas.width, canvas.height).data;
    let low = 255, high = 0;
    for (let i = 0; i < data.length; i += 4) {
      if (data[i] < 255) { low = Math.min(low, data[i]); high = Math.max(high, data[i]); }
    }
    const box = image.getBoundingClientRect();
    return {alt: image.alt, natural: image.naturalWidth, range: high - low,
            left: box.left, right: box.right, height: box.height};
  });
  found.charts = [...document.querySelectorAll('svg.curves')].map(svg => {
    const box = svg.getBoundingClientRect(), view = svg.viewBox.baseVal;
    return {width: box.width, height: box.height,
            lines: [...svg.querySelectorAll('path.line')].map(line => {
              const b = line.getBBox();
              return {long: line.getTotalLength(), stroke: getComputedStyle(line).stroke,
                      inside: b.x >= 0 && b.y >= 0 && b.x + b.width <= view.width &&
                              b.y + b.height <= view.height};
            }),
            words: [...svg.querySelectorAll('text')].map(text => {
              const b = text.getBoundingClientRect();
              return {text: text.textContent, inside: b.left >= box.left - 1 &&
                      b.right <= box.right + 1 && b.top >= box.top - 1 &&
                      b.bottom <= box.bottom + 1};
            })};
  });
  parent.postMessage(JSON.stringify(found), '*');
}
addEventListener('load', look);
</script>
"""

# A frame as wide as asked for, for a window is never narrower than 500 pixels. --dump-dom prints what
# it was told.
FRAME = """<!DOCTYPE html>
<body><pre id="found"></pre>
<script>addEventListener('message', e => { document.getElementById('found').textContent = e.data; });
</script>
<iframe src="look.html" style="width: WIDTHpx; height: 3000px; border: 0"></iframe>
"""


class Browser(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.place = tempfile.TemporaryDirectory(prefix="cae-browser-")
        folder = Path(cls.place.name)
        commands = (
            [os.environ["CAE_TOOL"], "synth", "--count", "60", "--out", folder / "faces"],
            [os.environ["CAE_PAPER"], "--data", folder / "faces", "--out", folder / "out",
             "--train", "30", "--test", "20", "--epochs", "5", "--batch", "10"],
        )
        for command in commands:
            subprocess.run([str(word) for word in command], check=True, timeout=300)
        text = (folder / "out/report.html").read_text(encoding="utf-8")
        page = folder / "look.html"
        page.write_text(text.replace("</body>", LOOK + "</body>"), encoding="utf-8")

    @classmethod
    def tearDownClass(cls):
        cls.place.cleanup()

    def look(self, width):
        frame = Path(self.place.name, f"frame-{width}.html")
        frame.write_text(FRAME.replace("WIDTH", str(width)), encoding="utf-8")
        command = [BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars",
                   f"--user-data-dir={self.place.name}/profile", "--window-size=1400,3000",
                   "--virtual-time-budget=20000", "--dump-dom", frame.as_uri()]
        done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
        return json.loads(html.unescape(re.search(r'<pre id="found">(.*?)</pre>', done.stdout)[1]))

    def check(self, width):
        found = self.look(width)
        self.assertEqual(found["width"], width)
        self.assertLessEqual(found["page"], width, "the page is wider than the window")
        self.assertEqual(len(found["images"]), 19)
        for image in found["images"]:
            self.assertGreater(image["natural"], 200, image)
            self.assertGreater(image["range"], 10, image)
            self.assertGreater(image["height"], 100, image)
            self.assertTrue(0 <= image["left"] and image["right"] <= width, image)
        self.assertEqual([len(chart["lines"]) for chart in found["charts"]], [4, 4, 4, 4, 2])
        for chart in found["charts"]:
            self.assertTrue(250 < chart["width"] <= width and chart["height"] > 150)
            self.assertEqual([word for word in chart["words"] if not word["inside"]], [])
            for line in chart["lines"]:
                self.assertTrue(line["inside"], line)
                self.assertRegex(line["stroke"], r"^rgb")
            for line in chart["lines"][::2]:  # of the training faces; unseen ones have one point
                self.assertGreater(line["long"], 50)

    def test_telephone(self):
        self.check(390)

    def test_desk(self):
        self.check(1280)


if __name__ == "__main__":
    unittest.main()
