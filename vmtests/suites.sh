# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# Debian's suites beside the one that this host runs: each with its own lists and cache, nothing is installed.
REFRESH_HOURS=20
KEY=/usr/share/keyrings/debian-archive-keyring.gpg
SUITES=$CACHE/suites

mirror() {
    [ -z "${MIRROR-}" ] || { echo "$MIRROR"; return; }
    apt-get indextargets --format '$(ORIGIN) $(REPO_URI)' 'Created-By: Packages' | awk '$1 == "Debian" {print $2; exit}'
}

# Sets APT to the options that keep everything of one suite in its own directory.
suite_options() {
    local directory=$SUITES/$1 uri
    mkdir -p "$directory"/{lists/partial,cache/archives/partial}
    uri=$(mirror)
    [ -n "$uri" ] || return 1
    echo "deb [signed-by=$KEY arch=amd64] $uri $1 main" >"$directory/sources.list"
    APT=(-o "Dir::Etc::sourcelist=$directory/sources.list" -o Dir::Etc::sourceparts=/dev/null
         -o "Dir::State::lists=$directory/lists" -o "Dir::Cache=$directory/cache" -o Dir::State::status=/dev/null
         -o APT::Sandbox::User=root -o APT::Architecture=amd64 -o Acquire::Languages=none)
}

refresh_suite() {
    local stamp=$SUITES/$1/fresh
    suite_options "$1" || { warn "no Debian mirror among this system's package sources; name one: MIRROR=URI"; return 1; }
    [ -z "$(find "$stamp" -mmin -$((REFRESH_HOURS * 60)) 2>/dev/null)" ] || return 0
    apt-get "${APT[@]}" -qq update >"$SUITES/$1/log" 2>&1 && ! grep -q '^[EW]:' "$SUITES/$1/log" && touch "$stamp" ||
        { sed 's/^/    /' "$SUITES/$1/log" >&2; return 1; }
}
