#!/bin/sh
# Makes what three nodes and their clients share, once: homes under $HOMES with one signer and one genesis,
# the list of all peers, and the secret between each node and its client. $GENESIS is the Ethereum genesis.
# Needs EV_SIGNER_PASSPHRASE. Run again, it changes nothing.
set -eu
umask 077
if [ -f "$HOMES/peers" ]; then exit 0; fi

# Half of it is nothing: what an attempt before left is made anew.
rm -rf "$HOMES/node-1" "$HOMES/node-2" "$HOMES/node-3"
peers=""
for n in 1 2 3; do
  home="$HOMES/node-$n"
  if [ "$n" != 1 ]; then
    mkdir -p "$home/config"
    cp "$HOMES/node-1/config/signer.json" "$HOMES/node-1/config/genesis.json" "$home/config/"
  fi
  evm init --home="$home" --evnode.node.aggregator=true --evm.genesis="$GENESIS"
  mkdir -p "$HOMES/jwt-$n"
  od -An -N32 -tx1 /dev/urandom | tr -d ' \n' > "$HOMES/jwt-$n/jwt.hex"
  id=$(evm net-info --home="$home" | sed -n 's/^peer_id: //p')
  peers="$peers${peers:+,}/dns4/node-$n/tcp/26656/p2p/$id"
done
printf '%s' "$peers" > "$HOMES/peers"
