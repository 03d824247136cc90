#!/bin/sh
# Makes what three nodes and their clients share, once: homes under $HOMES with one signer and one genesis,
# in each the list of all peers, and the secret between each node and its client. $GENESIS is the Ethereum genesis.
# Needs EV_SIGNER_PASSPHRASE. Run again, it changes nothing.
set -eu
umask 077
if [ -f "$HOMES/node-3/peers" ]; then exit 0; fi

# Half of it is nothing: what an attempt before left is made anew. The directories themselves are volumes.
for n in 1 2 3; do
  mkdir -p "$HOMES/node-$n" "$HOMES/jwt-$n"
  find "$HOMES/node-$n" -mindepth 1 -delete
done
peers=""
for n in 1 2 3; do
  home="$HOMES/node-$n"
  if [ "$n" != 1 ]; then
    mkdir -p "$home/config"
    cp "$HOMES/node-1/config/signer.json" "$HOMES/node-1/config/genesis.json" "$home/config/"
  fi
  evm init --home="$home" --evnode.node.aggregator=true --evm.genesis="$GENESIS"
  od -An -N32 -tx1 /dev/urandom | tr -d ' \n' > "$HOMES/jwt-$n/jwt.hex"
  id=$(evm net-info --home="$home" | sed -n 's/^peer_id: //p')
  peers="$peers${peers:+,}/dns4/node-$n/tcp/26656/p2p/$id"
done
# The user that the image's nodes run as. The list comes last, since by it a later run sees that all is there.
if [ "$(id -u)" = 0 ]; then chown -R 1000:1000 "$HOMES"; fi
for n in 1 2 3; do
  printf '%s' "$peers" > "$HOMES/node-$n/peers"
  chmod 0644 "$HOMES/node-$n/peers"
done
