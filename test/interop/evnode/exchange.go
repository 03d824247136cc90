package main

import (
	"context"
	"errors"
	"time"

	"github.com/celestiaorg/go-header"
	"github.com/evstack/ev-node/pkg/config"
	"github.com/evstack/ev-node/pkg/genesis"
	"github.com/evstack/ev-node/pkg/p2p"
	"github.com/evstack/ev-node/pkg/p2p/key"
	"github.com/evstack/ev-node/pkg/store"
	evsync "github.com/evstack/ev-node/pkg/sync"
	"github.com/evstack/ev-node/types"
)

type peering struct {
	// Genesis is the path of its file.
	Genesis string `json:"genesis"`
	// NodeKey is the directory of a node_key.json.
	NodeKey string `json:"nodeKey"`
	// Peers are multiaddrs, separated by commas.
	Peers string `json:"peers"`
}

type wantedBlocks struct {
	peering
	To uint64 `json:"to"`
}

type ownedBlocks struct {
	peering
	// Blocks are those from the first on.
	Blocks []wireBlock `json:"blocks"`
}

type wireBlock struct {
	// Header is an encoded SignedHeader, Data an encoded Data.
	Header []byte `json:"header"`
	Data   []byte `json:"data"`
}

// services are what a full node of ev-node runs to exchange blocks.
type services struct {
	client  *p2p.Client
	headers *evsync.HeaderSyncService
	data    *evsync.DataSyncService
}

func (n *node) services(with peering, fill func(store.Store) error) (*services, error) {
	first, err := genesis.LoadGenesis(with.Genesis)
	if err != nil {
		return nil, err
	}
	identity, err := key.LoadNodeKey(with.NodeKey)
	if err != nil {
		return nil, err
	}
	memory, err := store.NewTestInMemoryKVStore()
	if err != nil {
		return nil, err
	}
	blocks := store.New(store.NewEvNodeKVStore(memory))
	if err := fill(blocks); err != nil {
		return nil, err
	}
	conf := config.DefaultConfig()
	conf.P2P.ListenAddress = "/ip4/127.0.0.1/tcp/0"
	conf.P2P.Peers = with.Peers
	client, err := p2p.NewClient(
		conf.P2P, identity.PrivKey, memory, first.ChainID, n.logger, p2p.NopMetrics())
	if err != nil {
		return nil, err
	}
	if err := client.Start(n.context); err != nil {
		return nil, err
	}
	headers, err := evsync.NewHeaderSyncService(blocks, conf, first, client, n.logger)
	if err != nil {
		return nil, err
	}
	data, err := evsync.NewDataSyncService(blocks, conf, first, client, n.logger)
	if err != nil {
		return nil, err
	}
	if err := headers.Start(n.context); err != nil {
		return nil, err
	}
	return &services{client: client, headers: headers, data: data}, data.Start(n.context)
}

// sync fetches a chain from its first block on, as a full node that has nothing yet.
func (n *node) sync(with wantedBlocks) ([]wireBlock, error) {
	running, err := n.services(with.peering, func(store.Store) error { return nil })
	if err != nil {
		return nil, err
	}
	defer running.client.Close()
	found := []wireBlock{}
	for height := uint64(1); height <= with.To; height++ {
		header, err := fetched(n.context, running.headers.Store(), height)
		if err != nil {
			return nil, err
		}
		data, err := fetched(n.context, running.data.Store(), height)
		if err != nil {
			return nil, err
		}
		if err := errors.Join(header.ValidateBasic(), types.Validate(header.SignedHeader, data.Data)); err != nil {
			return nil, err
		}
		one := wireBlock{}
		if one.Header, err = header.SignedHeader.MarshalBinary(); err != nil {
			return nil, err
		}
		if one.Data, err = data.Data.MarshalBinary(); err != nil {
			return nil, err
		}
		found = append(found, one)
	}
	return found, nil
}

// fetched waits until the syncer has an item.
func fetched[H header.Header[H]](ctx context.Context, items header.Store[H], height uint64) (H, error) {
	limited, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	return items.GetByHeight(limited, height)
}

// serve offers blocks to others, and returns the multiaddr at which it does.
func (n *node) serve(with ownedBlocks) (string, error) {
	running, err := n.services(with.peering, func(into store.Store) error {
		return save(n.context, into, with.Blocks)
	})
	if err != nil {
		return "", err
	}
	info, err := running.client.GetNetworkInfo()
	if err != nil {
		return "", err
	}
	if len(info.ListenAddress) == 0 {
		return "", errors.New("it listens nowhere")
	}
	return info.ListenAddress[0], nil
}

func save(ctx context.Context, into store.Store, blocks []wireBlock) error {
	batch, err := into.NewBatch(ctx)
	if err != nil {
		return err
	}
	for _, one := range blocks {
		header, data := new(types.SignedHeader), new(types.Data)
		if err := header.UnmarshalBinary(one.Header); err != nil {
			return err
		}
		if err := data.UnmarshalBinary(one.Data); err != nil {
			return err
		}
		if err := batch.SaveBlockData(header, data, &header.Signature); err != nil {
			return err
		}
		if err := batch.SetHeight(header.Height()); err != nil {
			return err
		}
	}
	return batch.Commit()
}
