"""Pages of evaluations as a reader sees them: their text, and the tags that make it."""

from html.parser import HTMLParser

from report.evaluations import evaluated

from prostate_alm.report import write_report

VOID = {"meta", "br", "hr", "img", "link", "input", "col"}


class Text(HTMLParser):
    """The text that a reader sees, the tags seen, and a check that every one is closed."""

    def __init__(self, page):
        super().__init__()
        self.open, self.words, self.seen = [], [], []
        self.feed(page)
        self.close()
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"style", "svg", "script"} & set(self.open):
            self.words.append(data)


def read(path):
    return Text(path.read_text(encoding="utf-8"))


def written(folder, predictions=None, **given):
    write_report(folder, evaluated(predictions, **given))
    return read(folder / "report.html")
