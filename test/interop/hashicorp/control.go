package main

import (
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/hashicorp/raft"
)

// enqueueLimit is how long a command may wait to be taken up.
const enqueueLimit = 10 * time.Second

type status struct {
	State        string `json:"state"`
	Term         uint64 `json:"term"`
	LeaderID     string `json:"leaderId"`
	CommitIndex  uint64 `json:"commitIndex"`
	AppliedIndex uint64 `json:"appliedIndex"`
	LastIndex    uint64 `json:"lastIndex"`
	// SnapshotIndex is the last one of the newest snapshot, its own or one that it was sent; 0 without any.
	SnapshotIndex uint64 `json:"snapshotIndex"`
	Restores      int    `json:"restores"`
	Restored      []byte `json:"restored"`
	// FSM is the state machine's content.
	FSM []byte `json:"fsm"`
}

func (m *member) find(ask string, with func(any) error) (any, error) {
	switch ask {
	case "status":
		return m.status()
	case "apply":
		var data []byte
		if err := with(&data); err != nil {
			return nil, err
		}
		applied := m.raft.Apply(data, enqueueLimit)
		if err := applied.Error(); err != nil {
			return nil, err
		}
		return applied.Index(), nil
	case "applied":
		m.fsm.mutex.Lock()
		defer m.fsm.mutex.Unlock()
		return append([]entry{}, m.fsm.applied...), nil
	case "log":
		return m.entries()
	case "snapshot":
		return nil, m.raft.Snapshot().Error()
	case "transfer":
		var to server
		if err := with(&to); err != nil {
			return nil, err
		}
		id, address := raft.ServerID(to.ID), raft.ServerAddress(to.Address)
		return nil, m.raft.LeadershipTransferToServer(id, address).Error()
	default:
		return nil, fmt.Errorf("nobody knows %q", ask)
	}
}

func (m *member) status() (status, error) {
	_, leader := m.raft.LeaderWithID()
	snapshot, err := strconv.ParseUint(m.raft.Stats()["last_snapshot_index"], 10, 64)
	if err != nil {
		return status{}, err
	}
	m.fsm.mutex.Lock()
	defer m.fsm.mutex.Unlock()
	return status{
		State: m.raft.State().String(), Term: m.raft.CurrentTerm(), LeaderID: string(leader),
		CommitIndex: m.raft.CommitIndex(), AppliedIndex: m.raft.AppliedIndex(),
		LastIndex: m.raft.LastIndex(), SnapshotIndex: snapshot, Restores: m.fsm.restores,
		Restored: m.fsm.restored, FSM: m.fsm.state,
	}, nil
}

// entries are those in the log, committed or not.
func (m *member) entries() ([]entry, error) {
	first, err := m.log.FirstIndex()
	if err != nil {
		return nil, err
	}
	last, err := m.log.LastIndex()
	if err != nil {
		return nil, err
	}
	found := []entry{}
	for index := max(1, first); index <= last; index++ {
		var log raft.Log
		// An installed snapshot leaves older entries, and a gap behind them.
		if err := m.log.GetLog(index, &log); errors.Is(err, raft.ErrLogNotFound) {
			continue
		} else if err != nil {
			return nil, err
		}
		found = append(found, entryOf(&log))
	}
	return found, nil
}
