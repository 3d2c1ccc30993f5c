#!/usr/bin/env bash
# systemd 252 (Debian 12), timers by OnCalendar in Danish time: in the autumn one that runs every five minutes does not run for an hour, in the spring a nightly one not that night.
#
# Guessed:  "*:0/5" is every five minutes, whatever a clock on the wall shows: where the hour from 02:00 comes twice, in both. 02:30 runs at 03:00 or 03:30 in the night that has
#           no 02:30, as Debian's cron makes up for what that hour held.
# Happens:  in the autumn the second of the two hours has no runs: 00:55 UTC is followed by 02:00 UTC. Yet a timer that is started within that hour runs in it. In the spring
#           a time from 02:00 up to 03:00 is left out, 02:00 sharp too, until the next day; "Sun 02:30" for a week, for it is a Sunday. To systemd no run was missed, so that
#           there is nothing for Persistent=true to make up. A timer with UTC in its line (OnCalendar=*:0/5 UTC), or on a machine whose zone is UTC, leaves out none.
# Product:  a job that fetches from a mailbox rests for that hour, and a copy of the store is not made that night, or that week. docs/clients/mailboxes.md and docs/operations.md
#           say how to write the timer.
#
# Needs systemd-analyze, which computes the runs as the manager does, and tzdata. Exit 0: it still does so. Exit 1: it does something else. Exit 2: a tool is missing.
set -euo pipefail
command -v systemd-analyze >/dev/null || { echo "systemd-analyze is needed"; exit 2; }
[ -e /usr/share/zoneinfo/Europe/Copenhagen ] || { echo "tzdata is needed"; exit 2; }
systemd-analyze --version | head -n 1

changed=
# The next runs of a timer on a machine of a zone, in UTC, beside those that were seen.
told() { # zone, from, timer, runs
  local runs
  runs=$(TZ=$1 systemd-analyze calendar --base-time="$2" --iterations="$(tr -cd ';' <<<"$4;" | wc -c)" "$3" | grep -oE '[0-9]{4}-[0-9-]+ [0-9:]+ UTC' | sed 's/:00 UTC//' | paste -sd ';')
  echo "machine in $1, from $2, $3: $runs"
  [ "$runs" = "$4" ] || changed="$changed $3 in $1;"
}

autumn="2026-10-25 00:50:00 UTC"
told Europe/Copenhagen "$autumn" "*:0/5" "2026-10-25 00:55;2026-10-25 02:00;2026-10-25 02:05"
told UTC "$autumn" "*:0/5 Europe/Copenhagen" "2026-10-25 00:55;2026-10-25 02:00;2026-10-25 02:05"
told Europe/Copenhagen "$autumn" "hourly" "2026-10-25 02:00;2026-10-25 03:00"
told Europe/Copenhagen "2026-10-25 01:20:00 UTC" "*:0/5" "2026-10-25 01:25;2026-10-25 01:30"
told Europe/Copenhagen "$autumn" "*:0/5 UTC" "2026-10-25 00:55;2026-10-25 01:00;2026-10-25 01:05"
told UTC "$autumn" "*:0/5" "2026-10-25 00:55;2026-10-25 01:00;2026-10-25 01:05"

spring="2027-03-27 12:00:00 UTC"
told Europe/Copenhagen "$spring" "*-*-* 02:30" "2027-03-29 00:30;2027-03-30 00:30"
told Europe/Copenhagen "$spring" "*-*-* 02:00" "2027-03-29 00:00;2027-03-30 00:00"
told UTC "$spring" "*-*-* 02:30 Europe/Copenhagen" "2027-03-29 00:30;2027-03-30 00:30"
told Europe/Copenhagen "$spring" "Sun *-*-* 02:30" "2027-04-04 00:30;2027-04-11 00:30"
told Europe/Copenhagen "$spring" "*-*-* 03:00" "2027-03-28 01:00;2027-03-29 01:00"
told Europe/Copenhagen "$spring" "*-*-* 02:30 UTC" "2027-03-28 02:30;2027-03-29 02:30"
[ -z "$changed" ] || { echo "the behaviour has changed:$changed"; exit 1; }
