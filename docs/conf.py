"""How the documentation is built: offline, every code cell executed, every warning an error."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from sweval import __version__

sys.path.insert(0, str(Path(__file__).parent / "_ext"))
os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])  # cells call `sweval`

project = "sweval"
author = "The sweval authors"
copyright = "The sweval authors, MIT licence"
version = release = __version__

extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon", "myst_nb", "sphinx_copybutton", "walk"]
exclude_patterns = ["_build"]
source_suffix = {".md": "myst-nb", ".rst": "restructuredtext"}
default_role = "literal"  # docstrings mark code with single backticks

nb_execution_mode = "force"
nb_execution_raise_on_error = True
nb_execution_timeout = 120
nb_merge_streams = True
myst_enable_extensions = ["colon_fence", "deflist", "dollarmath"]
myst_heading_anchors = 3

napoleon_google_docstring = False
napoleon_use_rtype = False
autodoc_typehints = "none"  # the docstrings say what a value means; the signature says its type
autodoc_member_order = "bysource"

html_theme = "pydata_sphinx_theme"
html_title = "sweval"
html_static_path = ["_static"]
html_css_files = ["style.css"]
html_js_files = [("catalogue.js", {"defer": "defer"})]
html_show_sourcelink = False
html_theme_options = {
    "navbar_end": ["theme-switcher"],
    "footer_end": [],
    "secondary_sidebar_items": ["page-toc"],
    "show_prev_next": True,
    "navigation_with_keys": False,
}
html_sidebars = {"contributing": [], "changelog": []}
copybutton_prompt_text = r">>> |\.\.\. |\$ "
copybutton_prompt_is_regexp = True
