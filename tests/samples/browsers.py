"""A real browser without a window, which notes all that it asks the network for."""

import contextlib
import io
import json
import shutil

import numpy as np
import pytest
from PIL import Image

ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--use-gl=angle",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--hide-scrollbars",
    "--force-device-scale-factor=1",
)
# A loaded machine draws slowly.
PATIENCE = 120


@contextlib.contextmanager
def open_browser(width=1000, height=800):
    """Starts Chromium, or skips the test with the reason why it can't."""
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    driver = shutil.which("chromedriver")
    if not (chromium and driver):
        pytest.skip("no browser: apt-get install chromium chromium-driver brings one")
    webdriver = pytest.importorskip("selenium.webdriver")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for argument in (*ARGUMENTS, f"--window-size={width},{height}"):
        options.add_argument(argument)
    logs = {"browser": "ALL", "performance": "ALL"}
    options.set_capability("goog:loggingPrefs", logs)
    failed = pytest.importorskip("selenium.common").WebDriverException
    try:
        browser = webdriver.Chrome(options, webdriver.ChromeService(driver))
    except failed as error:
        pytest.skip(f"{chromium} doesn't start: {error.msg}")
    browser.set_page_load_timeout(PATIENCE)
    browser.set_script_timeout(PATIENCE)
    try:
        yield browser
    finally:
        browser.quit()


class Visit:
    """A page that was opened from the disk.

    Args:
        browser: Which opens it.
        path: The page.
    """

    def __init__(self, browser, path):
        from selenium.webdriver.support.ui import WebDriverWait

        self.browser = browser
        self._drain()
        browser.get(path.absolute().as_uri())
        self.wait = WebDriverWait(browser, PATIENCE).until

    def ready(self):
        """Waits until the images are there."""
        self.wait(lambda b: self.run("return document.body.dataset.ready"))
        return self

    def run(self, code, *arguments):
        return self.browser.execute_script(code, *arguments)

    def find(self, selector):
        return self.browser.find_element("css selector", selector)

    def settle(self):
        """Waits until what was asked for is drawn."""
        self.browser.execute_async_script(
            "const done = arguments[arguments.length - 1];"
            "requestAnimationFrame(() => requestAnimationFrame(() =>"
            " requestAnimationFrame(() => setTimeout(done, 50))));"
        )

    def press(self, key):
        self.run(
            "document.getElementById('stage').dispatchEvent(new KeyboardEvent("
            "'keydown', {key: arguments[0], bubbles: true}))",
            key,
        )
        self.settle()

    def pixels(self, selector):
        """What an element looks like, `(height, width, 3)`, 0 to 255."""
        element = self.find(selector)
        self.run("arguments[0].scrollIntoView({block: 'center'})", element)
        data = element.screenshot_as_png
        return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)

    def _drain(self):
        for kind in ("browser", "performance"):
            self.browser.get_log(kind)

    def complaints(self):
        """What the page had to say on the console."""
        return [entry["message"] for entry in self.browser.get_log("browser")]

    def requests(self):
        """Every address that was asked for, but for what the page holds itself."""
        asked = []
        for entry in self.browser.get_log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                asked.append(message["params"]["request"]["url"])
        return [url for url in asked if not url.startswith(("data:", "blob:"))]
