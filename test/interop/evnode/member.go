package main

import (
	"context"
	"errors"
	"time"

	"github.com/evstack/ev-node/pkg/genesis"
	"github.com/evstack/ev-node/pkg/raft"
	"github.com/evstack/ev-node/pkg/signer"
	"github.com/evstack/ev-node/pkg/signer/file"
	"github.com/evstack/ev-node/types"
	"google.golang.org/protobuf/proto"
)

type membership struct {
	ID        string   `json:"id"`
	Address   string   `json:"address"`
	Directory string   `json:"directory"`
	Peers     []string `json:"peers"`
	// Timeouts are in milliseconds.
	SendTimeoutMs        int `json:"sendTimeoutMs"`
	HeartbeatTimeoutMs   int `json:"heartbeatTimeoutMs"`
	ElectionTimeoutMs    int `json:"electionTimeoutMs"`
	LeaderLeaseTimeoutMs int `json:"leaderLeaseTimeoutMs"`
	// Genesis is the path of its file, Signer the directory of a signer.json.
	Genesis    string `json:"genesis"`
	Signer     string `json:"signer"`
	Passphrase string `json:"passphrase"`
}

// raftMember is a member of a cluster, by the code that an ev-node runs for it.
type raftMember struct {
	node    *raft.Node
	genesis genesis.Genesis
	signer  signer.Signer
}

type memberStatus struct {
	IsLeader bool   `json:"isLeader"`
	LeaderID string `json:"leaderId"`
	// State is the encoded RaftBlockState that was applied last.
	State []byte `json:"state"`
}

func (n *node) join(with membership) (bool, error) {
	first, err := genesis.LoadGenesis(with.Genesis)
	if err != nil {
		return false, err
	}
	key, err := file.LoadFileSystemSigner(with.Signer, []byte(with.Passphrase))
	if err != nil {
		return false, err
	}
	milliseconds := func(count int) time.Duration { return time.Duration(count) * time.Millisecond }
	member, err := raft.NewNode(&raft.Config{
		NodeID: with.ID, RaftAddr: with.Address, RaftDir: with.Directory, Peers: with.Peers,
		SnapCount:          3,
		SendTimeout:        milliseconds(with.SendTimeoutMs),
		HeartbeatTimeout:   milliseconds(with.HeartbeatTimeoutMs),
		LeaderLeaseTimeout: milliseconds(with.LeaderLeaseTimeoutMs),
		ElectionTimeout:    milliseconds(with.ElectionTimeoutMs),
	}, n.logger)
	if err != nil {
		return false, err
	}
	n.raft = &raftMember{node: member, genesis: first, signer: key}
	return true, member.Start(n.context)
}

func (m *raftMember) status() (memberStatus, error) {
	state, err := proto.Marshal(m.node.GetState())
	return memberStatus{
		IsLeader: m.node.IsLeader(), LeaderID: m.node.LeaderID(), State: state,
	}, err
}

type production struct {
	// AppHash is the state after the last block.
	AppHash []byte   `json:"appHash"`
	Txs     [][]byte `json:"txs"`
}

// produce builds, signs and replicates the next block as an ev-node that leads.
func (m *raftMember) produce(with production) ([]byte, error) {
	if !m.node.HasQuorum() {
		return nil, errors.New("no majority answers")
	}
	header, data, err := m.next(with)
	if err != nil {
		return nil, err
	}
	if header.Signature, err = types.GetSignature(context.Background(), header.Header, m.signer); err != nil {
		return nil, err
	}
	if err := header.ValidateBasicWithData(data); err != nil {
		return nil, err
	}
	headerBytes, err := header.MarshalBinary()
	if err != nil {
		return nil, err
	}
	dataBytes, err := data.MarshalBinary()
	if err != nil {
		return nil, err
	}
	state := &raft.RaftBlockState{
		Height: header.Height(), Hash: header.Hash(), Timestamp: header.BaseHeader.Time,
		Header: headerBytes, Data: dataBytes,
	}
	entry, err := proto.Marshal(state)
	if err != nil {
		return nil, err
	}
	return entry, m.node.Broadcast(context.Background(), state)
}

// next is the unsigned block over the one that was applied last.
func (m *raftMember) next(with production) (*types.SignedHeader, *types.Data, error) {
	public, err := m.signer.GetPublic()
	if err != nil {
		return nil, nil, err
	}
	proposer, err := types.NewSigner(public)
	if err != nil {
		return nil, nil, err
	}
	base := types.BaseHeader{
		ChainID: m.genesis.ChainID, Height: m.genesis.InitialHeight,
		Time: uint64(m.genesis.StartTime.UnixNano()),
	}
	var lastHeader, lastData types.Hash
	if state := m.node.GetState(); state.Height > 0 {
		header, data := new(types.SignedHeader), new(types.Data)
		if err := header.UnmarshalBinary(state.Header); err != nil {
			return nil, nil, err
		}
		if err := data.UnmarshalBinary(state.Data); err != nil {
			return nil, nil, err
		}
		lastHeader, lastData = header.Hash(), data.Hash()
		base.Height, base.Time = state.Height+1, uint64(time.Now().UnixNano())
	}
	data := &types.Data{
		Metadata: &types.Metadata{
			ChainID: base.ChainID, Height: base.Height, Time: base.Time, LastDataHash: lastData,
		},
	}
	for _, tx := range with.Txs {
		data.Txs = append(data.Txs, tx)
	}
	header := types.Header{
		BaseHeader: base, LastHeaderHash: lastHeader, DataHash: data.DACommitment(),
		AppHash: with.AppHash, ProposerAddress: proposer.Address,
	}
	return &types.SignedHeader{Header: header, Signer: proposer}, data, nil
}
