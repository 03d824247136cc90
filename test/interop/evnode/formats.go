package main

import (
	"bytes"
	"context"
	"fmt"

	"github.com/evstack/ev-node/pkg/genesis"
	"github.com/evstack/ev-node/pkg/p2p/key"
	"github.com/evstack/ev-node/pkg/raft"
	"github.com/evstack/ev-node/pkg/signer/file"
	"github.com/evstack/ev-node/types"
	"github.com/libp2p/go-libp2p/core/peer"
	"google.golang.org/protobuf/proto"
)

type genesisFacts struct {
	ChainID         string `json:"chainId"`
	InitialHeight   uint64 `json:"initialHeight"`
	StartTimeNs     string `json:"startTimeNs"`
	ProposerAddress []byte `json:"proposerAddress"`
}

// readGenesis takes the path of a genesis.json.
func readGenesis(path string) (genesisFacts, error) {
	read, err := genesis.LoadGenesis(path)
	if err != nil {
		return genesisFacts{}, err
	}
	return genesisFacts{
		ChainID: read.ChainID, InitialHeight: read.InitialHeight,
		StartTimeNs:     fmt.Sprint(read.StartTime.UnixNano()),
		ProposerAddress: read.ProposerAddress,
	}, read.Validate()
}

type signing struct {
	Directory  string `json:"directory"`
	Passphrase string `json:"passphrase"`
	Message    []byte `json:"message"`
}

type signed struct {
	Address   []byte `json:"address"`
	PublicKey []byte `json:"publicKey"`
	Signature []byte `json:"signature"`
}

// useSigner signs with the key of a signer.json.
func useSigner(with signing) (signed, error) {
	signer, err := file.LoadFileSystemSigner(with.Directory, []byte(with.Passphrase))
	if err != nil {
		return signed{}, err
	}
	public, err := signer.GetPublic()
	if err != nil {
		return signed{}, err
	}
	raw, err := public.Raw()
	if err != nil {
		return signed{}, err
	}
	address, err := signer.GetAddress()
	if err != nil {
		return signed{}, err
	}
	signature, err := signer.Sign(context.Background(), with.Message)
	return signed{Address: address, PublicKey: raw, Signature: signature}, err
}

// readNodeKey takes the directory of a node_key.json, and returns the peer id.
func readNodeKey(directory string) (string, error) {
	read, err := key.LoadNodeKey(directory)
	if err != nil {
		return "", err
	}
	id, err := peer.IDFromPublicKey(read.PubKey)
	return id.String(), err
}

type chain struct {
	// Genesis is the path of its file.
	Genesis string `json:"genesis"`
	// Blocks are those from the first on.
	Blocks []block `json:"blocks"`
}

type block struct {
	// Entry is the data of its log entry.
	Entry []byte `json:"entry"`
	// AppHash is the state after it.
	AppHash []byte `json:"appHash"`
}

type judgement struct {
	Height     uint64 `json:"height"`
	HeaderHash []byte `json:"headerHash"`
	// DataHash is of the data with its metadata, which the next block links to.
	DataHash []byte `json:"dataHash"`
}

// judgeChain takes blocks as a follower of ev-node does: from log entries, each checked against the state
// after the one before.
func judgeChain(with chain) ([]judgement, error) {
	first, err := genesis.LoadGenesis(with.Genesis)
	if err != nil {
		return nil, err
	}
	state := types.State{
		ChainID: first.ChainID, InitialHeight: first.InitialHeight,
		LastBlockHeight: first.InitialHeight - 1, NextProposerAddress: first.ProposerAddress,
	}
	judged := []judgement{}
	var last *types.Data
	for at, one := range with.Blocks {
		header, data, err := decodeEntry(one.Entry)
		if err != nil {
			return nil, fmt.Errorf("entry %d: %w", at, err)
		}
		if err := judge(state, header, data, last); err != nil {
			return nil, fmt.Errorf("block %d: %w", header.Height(), err)
		}
		if state, err = state.NextState(header.Header, one.AppHash, nil); err != nil {
			return nil, err
		}
		judged = append(judged, judgement{
			Height: header.Height(), HeaderHash: header.Hash(), DataHash: data.Hash(),
		})
		last = data
	}
	return judged, nil
}

func judge(state types.State, header *types.SignedHeader, data, last *types.Data) error {
	if err := header.ValidateBasicWithData(data); err != nil {
		return err
	}
	if err := state.AssertValidForNextState(header, data); err != nil {
		return err
	}
	// ev-node lets one wrong link pass in the life of a process, and does not look at the data's.
	if !bytes.Equal(header.LastHeaderHash, state.LastHeaderHash) {
		return types.ErrLastHeaderHashMismatch
	}
	if last == nil {
		return nil
	}
	return last.Verify(data)
}

// decodeEntry also checks that encoding what was decoded gives the same bytes.
func decodeEntry(entry []byte) (*types.SignedHeader, *types.Data, error) {
	var state raft.RaftBlockState
	if err := proto.Unmarshal(entry, &state); err != nil {
		return nil, nil, err
	}
	header, data := new(types.SignedHeader), new(types.Data)
	if err := header.UnmarshalBinary(state.Header); err != nil {
		return nil, nil, err
	}
	if err := data.UnmarshalBinary(state.Data); err != nil {
		return nil, nil, err
	}
	again, err := header.MarshalBinary()
	if err != nil {
		return nil, nil, err
	}
	dataAgain, err := data.MarshalBinary()
	if err != nil {
		return nil, nil, err
	}
	entryAgain, err := proto.Marshal(&state)
	switch {
	case err != nil:
		return nil, nil, err
	case !bytes.Equal(again, state.Header):
		return nil, nil, fmt.Errorf("the header is encoded as %x, not as %x", state.Header, again)
	case !bytes.Equal(dataAgain, state.Data):
		return nil, nil, fmt.Errorf("the data is encoded as %x, not as %x", state.Data, dataAgain)
	case !bytes.Equal(entryAgain, entry):
		return nil, nil, fmt.Errorf("the entry is encoded as %x, not as %x", entry, entryAgain)
	case !bytes.Equal(state.Hash, header.Hash()) || state.Height != header.Height():
		return nil, nil, fmt.Errorf("the entry says %x, its header %x", state.Hash, header.Hash())
	case state.Timestamp != uint64(header.Time().UnixNano()):
		return nil, nil, fmt.Errorf("the entry says %d ns, its header %v", state.Timestamp, header.Time())
	}
	return header, data, nil
}
