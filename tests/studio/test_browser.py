"""The studio in Debian's Chromium: what somebody does from the first log-in to the download.

With STUDIO_PICTURES=FOLDER the pages are also pictured there, as studio_*.jpg.
"""

from __future__ import annotations

import io
import os
import re
import shutil
import urllib.parse

import numpy as np
import pytest
from PIL import Image

from dreamlib.config import load_config
from dreamlib.imaging.samples import clouds
from tests.studio.live import REPOSITORY
from tests.studio.waiting import until

selenium = pytest.importorskip("selenium", reason="selenium is not installed")

from selenium import webdriver  # noqa: E402
from selenium.webdriver.common.by import By  # noqa: E402
from selenium.webdriver.common.keys import Keys  # noqa: E402
from selenium.webdriver.support.select import Select  # noqa: E402

AXE = REPOSITORY / ".cache" / "axe-core" / "axe.min.js"
CHROMIUM, DRIVER = shutil.which("chromium"), shutil.which("chromedriver")
pytestmark = [
    pytest.mark.skipif(
        not (CHROMIUM and DRIVER), reason="needs Debian's packages chromium and chromium-driver"
    ),
    pytest.mark.skipif(
        not AXE.exists(), reason="needs axe-core, which scripts/studio_assets.sh fetches"
    ),
]

DESKTOP, PHONE = (1280, 800), (390, 844)
SIZE = (320, 240)

#: Where the pages are pictured.
PICTURES = os.environ.get("STUDIO_PICTURES")

#: Some seconds on one core, to be killed in the middle; more where a preview is to be pictured.
ITERATIONS = 60 if PICTURES else 45

RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]
JUDGE = """
const done = arguments[arguments.length - 1];
axe.run(document, {runOnly: {type: "tag", values: arguments[0]}}).then(
  (found) => done(found.violations.map(({id, help, nodes}) => `${id}: ${help}: ` +
    nodes.slice(0, 4).map(({target, html}) => target + " " + html).join("; "))),
  (error) => done([String(error)]));
"""


class Browser:
    """Chromium without a window, and what a person does with it."""

    def __init__(self, studio, downloads):
        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM
        for word in ("--headless=new", "--disable-dev-shm-usage", "--disable-gpu", "--lang=en"):
            options.add_argument(word)
        if os.getuid() == 0:
            options.add_argument("--no-sandbox")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
        self.driver.set_script_timeout(60)
        self.driver.execute_cdp_cmd(
            "Browser.setDownloadBehavior", {"behavior": "allow", "downloadPath": str(downloads)}
        )
        self.studio, self.downloads = studio, downloads
        self.resize(DESKTOP)

    def resize(self, size):
        """Be a screen of this size."""
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
            "width": size[0], "height": size[1], "deviceScaleFactor": 1,
            "mobile": size == PHONE,
        })  # fmt: skip

    def visit(self, path):
        """Open a page of the studio."""
        self.driver.get(self.studio.address + path)

    def find(self, selector):
        """Return the element of a CSS selector."""
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def every(self, selector):
        """Return all elements of a CSS selector."""
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def text(self, selector):
        """Return what is read there; nothing while it is not there."""
        return self.run("return document.querySelector(arguments[0])?.textContent || ''", selector)

    def run(self, script, *arguments):
        """Run JavaScript in the page."""
        return self.driver.execute_script(script, *arguments)

    def press(self, words):
        """Press the button or link that says so."""
        path = f"//*[self::button or self::a][normalize-space()='{words}']"
        element = self.driver.find_element(By.XPATH, path)
        self.run("arguments[0].scrollIntoView({block: 'center'})", element)
        element.click()

    def fill(self, name, value):
        """Fill in a field of the form."""
        field = self.find(f"[name={name}]")
        if field.tag_name == "select":
            Select(field).select_by_value(value)
        else:
            field.clear()
            field.send_keys(value)

    def path(self):
        """Return where the browser is."""
        return urllib.parse.urlsplit(self.driver.current_url).path

    def complaints(self):
        """Return what the console said since this was last asked."""
        return [
            entry["message"]
            for entry in self.driver.get_log("browser")
            if entry["level"] in ("SEVERE", "WARNING")
        ]

    def violations(self):
        """Return what axe has against the page that is shown."""
        self.run(AXE.read_text())
        return self.driver.execute_async_script(JUDGE, RULES)

    def picture(self):
        """Return the page as it looks."""
        return Image.open(io.BytesIO(self.driver.get_screenshot_as_png())).convert("RGB")


@pytest.fixture(scope="module")
def browser(live_studio):
    """A browser that has logged in as whom the first start made."""
    downloads = live_studio.folder / "downloads"
    downloads.mkdir()
    browser = Browser(live_studio, downloads)
    yield _logged_in(browser)
    browser.driver.quit()


def _logged_in(browser):
    browser.visit("/")
    browser.fill("username", "admin")
    browser.fill("password", browser.studio.password)
    browser.press("Log in")
    until(lambda: browser.path() == "/dreams/")  # a press may return before its page is there
    return browser


@pytest.fixture
def desk(browser):
    """The browser on a desk, with nothing said yet in its console."""
    browser.resize(DESKTOP)
    browser.complaints()
    return browser


@pytest.fixture(scope="module")
def picture(browser):
    """The number of a picture that was chosen from the disk and uploaded."""
    file = browser.studio.folder / "evening sky.png"
    Image.fromarray(clouds(*SIZE)).save(file)
    browser.visit("/pictures/")
    browser.find("#files").send_keys(str(file))
    return until(lambda: browser.run(
        "return document.querySelector('[data-picture]')?.dataset.picture"))  # fmt: skip


def _percent(browser):
    words = browser.text("[data-percent]").split()  # once: it goes away when the dream is done
    return float(words[0]) if words else None


@pytest.fixture(scope="module")
def dream(browser, picture):
    """What was seen of a dream whose worker was killed: a dict; the browser shows the result."""
    browser.visit(f"/dreams/new/?picture={picture}")
    for name, value in {"iterations": ITERATIONS, "octaves": 2, "seed": 7}.items():
        field = browser.find(f"[name={name}]")
        browser.run("for (let at = arguments[0]; at; at = at.parentElement) at.open = true", field)
        browser.fill(name, str(value))
    browser.press("Queue the dream")
    until(lambda: re.fullmatch(r"/dreams/[0-9a-f-]{36}/", browser.path()))
    path, seen = browser.path(), {"rising": [], "after": [], "pictured": None}

    def look(name):
        """Note what the page says now, without having loaded it anew."""
        percent = _percent(browser)
        if percent is not None and [percent] != seen[name][-1:]:
            seen[name].append(percent)
        return percent

    until(lambda: (look("rising") or 0) >= 30, pause=0.02)
    if PICTURES:
        until(lambda: look("rising") and browser.find("#preview").is_displayed())
    seen["state"] = browser.text(".state")
    seen["pictured"] = browser.picture()
    family = browser.studio.kill_worker()
    until(lambda: not any(process.is_running() and process.status() != "zombie"
                          for process in family))  # fmt: skip
    seen["killed"] = [process.pid for process in family]
    seen["reached"] = _percent(browser)
    until(lambda: browser.text(".state") == "running" and _worker(browser) not in seen["killed"])
    until(lambda: look("after") is None or browser.text(".state") == "done")
    until(lambda: browser.text(".state") == "done")
    return {**seen, "path": path, "number": path.split("/")[2]}


def _worker(browser):
    worker = browser.studio.worker()
    return worker and worker.pid


def test_an_uploaded_picture_is_in_the_library_with_size_and_depth(desk, picture):
    desk.visit("/pictures/")
    card = desk.find(f"[data-picture='{picture}']")
    assert card.find_element(By.TAG_NAME, "h2").text == "evening sky.png"
    assert "320 \N{MULTIPLICATION SIGN} 240, 8 bits" in card.text
    assert desk.run("return arguments[0].querySelector('img').naturalWidth", card) == 320


def test_a_part_of_the_picture_is_tried_where_somebody_points(desk, picture):
    desk.visit(f"/dreams/new/?picture={picture}")
    side = desk.find("#try_side")
    side.send_keys(Keys.CONTROL, "a")
    side.send_keys("96")
    desk.fill("iterations", "2")
    stage = desk.find("#stage")
    until(lambda: stage.is_displayed() and stage.size["height"] > 100)
    desk.run("arguments[0].scrollIntoView({block: 'center'})", stage)
    webdriver.ActionChains(desk.driver).move_to_element(stage).click().perform()
    assert desk.find("#try_region").get_attribute("value") == "112,72,96,96"
    desk.press("Try it")
    until(lambda: desk.find("#trial").is_displayed())
    assert re.fullmatch(r"Dreamt in [\d.]+ s\.", desk.text("#try_says"))
    assert desk.run("const image = document.getElementById('trial');"
                    "return [image.naturalWidth, image.naturalHeight]") == [96, 96]  # fmt: skip
    assert desk.complaints() == []


def test_the_plan_is_told_before_anything_begins(desk, picture):
    desk.visit(f"/dreams/new/?picture={picture}")
    desk.press("Time, memory and disk")
    until(lambda: desk.find("#planned").is_displayed())
    assert "pixel-steps" in desk.text("#planned")


def test_the_percentage_rises_while_it_is_dreamt(dream):
    assert dream["state"] == "running"
    assert len(dream["rising"]) + len(dream["after"]) >= 5
    assert dream["rising"] == sorted(dream["rising"])


def test_a_killed_workers_dream_resumes_where_it_was_and_is_done(desk, dream):
    assert len(dream["killed"]) >= 2  # the worker and the dream's own process
    assert dream["after"], "nothing was seen after the worker was killed"
    assert min(dream["after"]) > dream["reached"] / 2  # the journal, not the beginning
    assert dream["after"][-1] >= dream["reached"]  # a page tells every half second, then "done"
    assert "ended with code -9; starting it again" in desk.studio.log()


def test_nothing_is_wrong_in_the_console_from_the_log_in_to_the_result(browser, dream):
    assert browser.complaints() == []


def test_the_slider_moves_by_key_between_the_picture_and_the_dream(desk, dream):
    desk.visit(dream["path"])
    until(lambda: len(desk.every(".openseadragon-canvas canvas")) == 2)
    slider = desk.find("#split")
    for _ in range(5):
        slider.send_keys(Keys.ARROW_LEFT)
    assert slider.get_attribute("value") == "45"
    clip = desk.run("return getComputedStyle(document.getElementById('before')).clipPath")
    assert clip.startswith("inset(0px")
    assert "55%" in clip
    until(lambda: _colours(desk))
    desk.press("Side by side")
    before, after = desk.find("#before").rect, desk.find("#after").rect
    assert before["x"] + before["width"] <= after["x"]
    desk.press("Dream alone")
    assert not desk.find("#before").is_displayed()
    assert desk.complaints() == []


def _colours(browser):
    """Tell whether the viewer's middle shows both pictures: left of the slider, right of it."""
    box, page = browser.find("#viewers").rect, np.asarray(browser.picture(), np.int16)
    scroll = browser.run("return window.scrollY")
    row = int(box["y"] - scroll + min(box["height"] / 2, 200))
    if not 0 <= row < len(page):
        return False
    left, right = (
        page[row - 20 : row + 20, int(box["x"] + share * box["width"]) :][:, :40]
        for share in (0.3, 0.6)
    )
    return left.std() > 0 and right.std() > left.std()


def test_the_download_is_the_dream_in_its_format_with_its_settings(desk, dream):
    desk.visit(dream["path"])
    desk.press("Download")
    file = until(lambda: next(desk.downloads.glob("*.png"), None))
    assert file.name == "evening sky_dream.png"
    with Image.open(file) as picture:
        assert (picture.format, picture.size) == ("PNG", SIZE)
        pixels = np.asarray(picture.convert("RGB"), np.int16)
    assert np.abs(pixels - clouds(*SIZE)).mean() > 5
    inside = load_config(file)
    assert (inside["iterations"], inside["octaves"], inside["seed"]) == (ITERATIONS, 2, 7)


PAGES = {
    "login": "/login/", "library": "/pictures/", "new": "/dreams/new/?picture={picture}",
    "queue": "/dreams/", "result": "/dreams/{number}/", "devices": "/devices/",
    "password": "/password/",
}  # fmt: skip


#: Which of them docs/studio.md shows.
PICTURED = [
    ("library", DESKTOP), ("new", DESKTOP), ("result", DESKTOP),
    ("queue", PHONE), ("new", PHONE),
]  # fmt: skip


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("page", PAGES)
def test_pages_are_accessible_and_silent(desk, picture, dream, page, size, tmp_path):
    desk.resize(size)
    if page == "login":
        cookies = desk.driver.get_cookies()
        desk.driver.delete_all_cookies()
    desk.visit(PAGES[page].format(picture=picture, number=dream["number"]))
    _settle(desk, page)
    wide = desk.run("return document.documentElement.scrollWidth - innerWidth")
    shot = desk.picture()
    if page == "new":  # what is folded, too
        desk.run("document.querySelectorAll('details').forEach((one) => { one.open = true; })")
    found, said = desk.violations(), desk.complaints()
    if page == "login":
        for cookie in cookies:
            desk.driver.add_cookie(cookie)
    assert found == []
    assert said == []
    assert wide <= 0, "the page is wider than the screen"
    if (page, size) in PICTURED:
        _keep(shot, f"studio_{page}{'_phone' if size == PHONE else ''}")
    assert len(shot.getcolors(DESKTOP[0] * DESKTOP[1])) > 20


def _settle(browser, page):
    """Wait until a page shows what it shows later than the rest."""
    if page == "new":
        until(lambda: browser.find("#stage").is_displayed())
    if page == "result":
        until(lambda: len(browser.every(".openseadragon-canvas canvas")) == 2)
        if browser.driver.get_window_size()["width"] > 500:
            until(lambda: _colours(browser))
    if page == "devices":
        assert browser.every("tbody th"), "no device is listed"


def test_a_dream_under_way_is_pictured(dream):
    _keep(dream["pictured"], "studio_live")
    assert dream["pictured"].size == DESKTOP


def _keep(shot, name):
    """Save a page's picture for the docs, if that is wanted."""
    if not PICTURES:
        return
    shot = shot.copy()
    shot.thumbnail((900, 900), Image.LANCZOS)
    for quality in (80, 70, 60, 50):
        shot.save(f"{PICTURES}/{name}.jpg", "JPEG", quality=quality, optimize=True)
        if os.path.getsize(f"{PICTURES}/{name}.jpg") < 40_000:
            return
    raise AssertionError(f"{name} does not fit into 40 kB")
