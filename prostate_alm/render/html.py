"""The environment that fills page templates: everything is escaped, nothing may be missing."""

from functools import cache

from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined


@cache  # templates are compiled once in a process
def environment(package: str) -> Environment:
    """The templates of a package, with every value escaped and a missing one an error.

    Args:
        package: the package whose folder `templates` holds them; `grid.html.j2` and `tables.css` come from here.

    Example:
        >>> environment("prostate_alm.report").from_string("{{ text }}").render(text="<script>")
        '&lt;script&gt;'
    """
    return Environment(
        loader=ChoiceLoader([PackageLoader(package, "templates"), PackageLoader("prostate_alm.render", "templates")]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
