# SPDX-License-Identifier: BSD-2-Clause
# shellcheck shell=bash
# What checks use: a lab of the guest's four NICs on one wire, the edge on it, and words to judge with.
#
#   edge (here)  eth0  10.0.0.1   fd00::1       client  eth1  10.0.0.2 and .3  fd00::2 and ::3
#   b1           eth2  10.0.0.11  fd00::11      b2      eth3  10.0.0.12        fd00::12
set -u
shopt -s lastpipe # policy ... | edge_start leaves EDGE here
export NO_COLOR=1
VIP4=198.51.100.10 VIP6=2001:db8::10
export VIPS="$VIP4 $VIP6"

reason() { echo "$*" >/run/check/reason; }
fail() { reason "$*"; echo "FAILED: $*"; exit 1; }
skip() { reason "$*"; exit 77; }
refused() { reason "$*"; exit 78; } # this kernel cannot, as is known of it
must() { "$@" || fail "$* (status $?)"; }
on() { # NODE COMMAND...; unlike ip netns exec this leaves /sys/fs/bpf in sight
    local node=$1
    shift
    nsenter --net="/run/netns/$node" "$@"
}
await() { # SECONDS COMMAND...
    local deadline=$(($(cut -d. -f1 /proc/uptime) + $1)) seconds=$1
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$(cut -d. -f1 /proc/uptime)" -lt $deadline ] || fail "not within $seconds s: $*"
        sleep 0.1
    done
}
url() { case $1 in *:*) echo "http://[$1]" ;; *) echo "http://$1" ;; esac; }

# --- network -----------------------------------------------------------------------------------------------
mac() { echo "52:54:00:00:00:0$1"; }
lab_node() { # NAME NIC ADDRESSES...
    local name=$1 nic=$2 address
    shift 2
    ip netns add "$name"
    ip link set "$nic" netns "$name"
    on "$name" ip link set lo up
    on "$name" bash -c 'echo 0 >/proc/sys/net/ipv4/conf/all/rp_filter; echo 0 >/proc/sys/net/ipv4/conf/default/rp_filter'
    on "$name" ethtool -K "$nic" tx off >/dev/null 2>&1
    for address in "$@"; do
        case $address in *:*) on "$name" ip addr add "$address" dev "$nic" nodad ;; *) on "$name" ip addr add "$address" dev "$nic" ;; esac
    done
    on "$name" ip link set "$nic" up
}
lab_edge() { # the edge's own NIC; again after it was away
    ip addr add 10.0.0.1/24 dev eth0
    ip addr add fd00::1/64 dev eth0 nodad
    ip link set eth0 up
}
lab_up() {
    local address
    echo 1 >/proc/sys/net/ipv4/ip_forward
    echo 1 >/proc/sys/net/ipv6/conf/all/forwarding
    lab_node client eth1 10.0.0.2/24 10.0.0.3/24 fd00::2/64 fd00::3/64
    lab_node b1 eth2 10.0.0.11/24 fd00::11/64
    lab_node b2 eth3 10.0.0.12/24 fd00::12/64
    lab_edge
    on client ip route add $VIP4 via 10.0.0.1
    on client ip route add $VIP6 via fd00::1
    for address in 10.0.0.2 10.0.0.11 10.0.0.12 fd00::2 fd00::11 fd00::12; do await 10 ping -c 1 -W 1 $address; done
    serve b1
    serve b2
}
serve() { # a web server that says who it is, on every address of a backend
    mkdir -p "/run/check/$1/cgi-bin"
    echo "$1" >"/run/check/$1/index.html"
    printf '#!/bin/sh\nprintf "Content-type: text/plain\\r\\n\\r\\n"\nwc -c\n' >"/run/check/$1/cgi-bin/size"
    chmod +x "/run/check/$1/cgi-bin/size"
    dd if=/dev/zero of="/run/check/$1/large" bs=1024 count=512 2>/dev/null
    on "$1" httpd -p "[::]:80" -h "/run/check/$1"
}

# --- far ends ----------------------------------------------------------------------------------------------
far_end_vips() { # NODE
    on "$1" ip addr add $VIP4/32 dev lo
    on "$1" ip addr add $VIP6/128 dev lo
    on "$1" bash -c 'echo 1 >/proc/sys/net/ipv4/conf/all/arp_ignore; echo 2 >/proc/sys/net/ipv4/conf/all/arp_announce'
}
far_end_kernel() { # NODE: the kernel's own tunnel devices take all four tunnels off
    local module device number=${1#b}
    for module in ipip sit ip6_tunnel; do modprobe $module || fail "this kernel has no $module"; done
    far_end_vips "$1"
    for device in tunl0 sit0; do must on "$1" ip link set $device up; done
    must on "$1" ip link add weir66 type ip6tnl mode any local "fd00::1$number" remote fd00::1
    must on "$1" ip link set weir66 up
    on "$1" bash -c 'for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 >$f; done'
}
far_end_weir() { # NODE NIC
    must on "$1" weir backend-host up "$2" --vip $VIP4 --vip $VIP6 --pins "/sys/fs/bpf/host-$1" --state "/run/host-$1"
}

# --- the edge ----------------------------------------------------------------------------------------------
policy() { # FORWARD OUTER-FAMILY [MORE-YAML]: a policy with both backends on stdout
    local one two vips="$VIP4, \"$VIP6\""
    case $2 in 4) one=10.0.0.11 two=10.0.0.12 ;; 6) one=fd00::11 two=fd00::12 ;; esac
    # An L2 backend is of its VIP's family.
    [ "$1" != l2 ] || { [ "$2" = 4 ] && vips=$VIP4 || vips="\"$VIP6\""; }
    cat <<YAML
interfaces: [{name: eth0, mode: ${MODE:-native}}]
control: {socket: /run/weir/control.sock}
protect: [{from: 10.0.0.0/24, ports: [tcp/22]}]
pools:
  local:
    forward: $1
    backends: [{name: b1, address: "$one"}, {name: b2, address: "$two"}]
services:
  - {name: www, address: [$vips], ports: [tcp/80, udp/9000], pools: [local]}
${3-}
YAML
}
edge_start() { # CONFIGURATION on stdin; the controller's id is left in EDGE
    cat >/run/check/weir.yaml
    edge_again
}
edge_again() { # with the same configuration
    weir run -c /run/check/weir.yaml >/run/check/weir.log 2>&1 &
    EDGE=$!
    edge_await
}
edge_is_ready() { weir status --json 2>/dev/null | jq -e '.controller.running' >/dev/null && [ "$(xdp_mode)" != none ]; }
edge_await() {
    local deadline=$(($(cut -d. -f1 /proc/uptime) + 60))
    until edge_is_ready; do
        kill -0 $EDGE 2>/dev/null || fail "weir run ended: $(tail -n 3 /run/check/weir.log)"
        [ "$(cut -d. -f1 /proc/uptime)" -lt $deadline ] || fail "weir run is not ready: $(tail -n 3 /run/check/weir.log)"
        sleep 0.2
    done
}
apply() { cat >/run/check/next.yaml; must weir apply /run/check/next.yaml >/dev/null; }
xdp_mode() { # [NODE NIC]: native, generic or none
    local link
    if [ $# = 2 ]; then link=$(on "$1" ip link show "$2"); else link=$(ip link show eth0); fi
    case " $link " in
    *' xdpgeneric '* | *' xdpgeneric/'*) echo generic ;;
    *' xdp '* | *' xdp/'*) echo native ;;
    *) echo none ;;
    esac
}
count() { # REASON: packets
    weir stats --json 2>/dev/null | jq "[.verdicts[] | select(.reason == \"$1\").packets] | add // 0"
}
service_count() { weir stats --json 2>/dev/null | jq "[.services[] | select(.service == \"$1\").packets] | add // 0"; }
backend_count() { weir stats --json 2>/dev/null | jq "[.backends[] | select(.backend == \"$1\").packets] | add // 0"; }

# --- traffic -----------------------------------------------------------------------------------------------
page() { # VIP [CURL-OPTION...]: who served; busybox starts faster than curl does
    local vip=$1
    shift
    if [ $# -eq 0 ]; then
        on client timeout 8 wget -q -O - "$(url "$vip")/" 2>/dev/null
    else
        on client curl -sgf --max-time 8 "$@" "$(url "$vip")/"
    fi
}
served_by_both() { # VIP [CURL-OPTION...]
    local one='' two='' i
    for i in $(seq 40); do
        case $(page "$@") in
        b1) one=1 ;;
        b2) two=1 ;;
        *)
            ip neigh
            tail -n 3 /run/check/weir.log
            fail "no page $i from $1: $(weir stats --json 2>/dev/null | jq -c '[.verdicts[] | {(.reason): .packets}] | add')" ;;
        esac
        [ -z "$one$two" ] || [ "$one$two" != 11 ] || return 0
    done
    fail "40 pages from $1, all of one backend"
}
