#!/bin/sh
# Write one line per file of this host (path, type, mode, owner, size, mtime), leaving out what a
# running system changes by itself.
set -eu
find / -xdev \( -path /proc -o -path /sys -o -path /run -o -path /dev -o -path /tmp -o -path /var/tmp \
    -o -path /var/log -o -path /var/lib/systemd -o -name .ansible -o -name __pycache__ \) -prune \
    -o ! -type d -printf '%p %y %m %u %g %s %T@\n' -o -type d -printf '%p %y %m %u %g\n' |
    LC_ALL=C sort >"$1"
