"""Sphinx: `make docs` builds these pages with warnings as errors; the examples in docstrings run with the tests."""

project = "prostate_alm"
copyright = "prostate_alm maintainers, Apache-2.0"
extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["_build", "results/cifar10/discussion.md"]  # it is part of tables.md
html_theme = "alabaster"
html_theme_options = {"page_width": "1180px"}
html_static_path: list[str] = []
autodoc_member_order = "bysource"
autodoc_typehints = "none"
napoleon_custom_sections = [("Shapes", "notes_style"), ("Reference", "notes_style")]
