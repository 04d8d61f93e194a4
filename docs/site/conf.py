# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Sphinx: the documentation of the modules and roles as HTML (make docs)."""

project = "secure_ftp.server"
copyright = "the secure_ftp.server contributors"
extensions = ["sphinx_antsibull_ext"]
default_role = "any"
highlight_language = "YAML+Jinja"
pygments_style = "ansible"
html_theme = "alabaster"
html_copy_source = False
html_show_sphinx = False

# Every reference must lead somewhere, but for those into Ansible's own site, whose index would have to be downloaded.
nitpicky = True
nitpick_ignore_regex = [
    ("std:ref", r"action_plugins|common_return_values|ansible_configuration_settings"),
    ("std:ref", r"ansible_collections\.(?!secure_ftp\.).*"),
]
