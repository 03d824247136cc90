package main

import (
	"errors"
	"io"
	"sync"

	"github.com/hashicorp/raft"
)

// entry is a log entry, as it is compared with that of another member.
type entry struct {
	Index      uint64 `json:"index"`
	Term       uint64 `json:"term"`
	Type       uint8  `json:"type"`
	Data       []byte `json:"data"`
	Extensions []byte `json:"extensions"`
	// AppendedAt is in Go's binary format, as it goes over the wire.
	AppendedAt []byte `json:"appendedAt"`
}

func entryOf(log *raft.Log) entry {
	appendedAt, err := log.AppendedAt.MarshalBinary()
	if err != nil {
		panic(err)
	}
	return entry{
		Index: log.Index, Term: log.Term, Type: uint8(log.Type), Data: log.Data,
		Extensions: log.Extensions, AppendedAt: appendedAt,
	}
}

// fsm keeps the bytes of every entry applied since the start, and like ev-node's the newest as its state.
type fsm struct {
	mutex    sync.Mutex
	applied  []entry
	state    []byte
	restores int
	// restored is the snapshot that was restored last.
	restored []byte
}

func (f *fsm) Apply(log *raft.Log) any {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.applied = append(f.applied, entryOf(log))
	f.state = log.Data
	return nil
}

func (f *fsm) Snapshot() (raft.FSMSnapshot, error) {
	f.mutex.Lock()
	defer f.mutex.Unlock()
	return snapshot(f.state), nil
}

func (f *fsm) Restore(content io.ReadCloser) error {
	defer content.Close()
	state, err := io.ReadAll(content)
	if err != nil {
		return err
	}
	f.mutex.Lock()
	defer f.mutex.Unlock()
	f.state = state
	f.restored = state
	f.restores++
	return nil
}

type snapshot []byte

func (s snapshot) Persist(sink raft.SnapshotSink) error {
	if _, err := sink.Write(s); err != nil {
		return errors.Join(err, sink.Cancel())
	}
	return sink.Close()
}

func (snapshot) Release() {}
