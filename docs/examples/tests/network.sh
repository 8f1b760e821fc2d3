#!/bin/sh
# Says what it finds by LAVA's helpers; they are on the PATH of every test shell.
interface=$1

lava-test-case interface-is-there --shell test -d "/sys/class/net/$interface"

lava-test-set start addresses
if ip -4 addr show "$interface" | grep -q 'inet '; then
  lava-test-case ipv4 --result pass
else
  lava-test-case ipv4 --result fail
fi
lava-test-case ipv6 --result skip
lava-test-set stop

up=$(cut -d ' ' -f 1 /proc/uptime)
lava-test-case time-to-network --result pass --measurement "$up" --units seconds
