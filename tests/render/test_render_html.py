"""What stands inside a page's script elements: data that cannot end them, and a script with its hash."""

import base64
import hashlib
import json
import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from prostate_alm.render import inline_script, json_block


class Blocks(HTMLParser):
    """The texts of a page's script elements."""

    def __init__(self, page):
        super().__init__()
        self.texts, self.tags = [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attrs):  # noqa: ARG002
        self.tags.append(tag)

    def handle_data(self, data):
        self.texts.append(data)


@given(st.lists(st.text() | st.sampled_from(["</script>", "<!--<script>", "]]>", "&lt;", "\u2028"])))
def test_any_text_comes_back_out_of_its_element(content):
    page = Blocks(f'<script type="application/json">{json_block(content)}</script>')
    assert page.tags == ["script"]
    assert json.loads("".join(page.texts)) == content


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_is_no_json_is_refused(value):
    with pytest.raises(ValueError, match="JSON"):
        json_block([value])


def test_a_script_comes_with_the_hash_that_its_policy_allows():
    text, source = inline_script("prostate_alm.report", "figures.js", "report.js")
    assert source == "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    assert not re.search(r"</|<!--|\r", text)
    assert not re.search(
        r"innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\(|fetch\(|XMLHttp|import\(", text
    )
