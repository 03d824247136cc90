// One member of a Raft cluster on hashicorp/raft and BoltDB, wired as ev-node wires it, for tests that
// put it into one cluster with nodes of ours.
//
// `hashicorp OPTIONS` takes its options as JSON, and then questions. It ends with its input.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"time"

	"ev-sequencer/test/interop/questions"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb"
)

const (
	snapshotsKept    = 3
	connectionsMax   = 3
	transportTimeout = 10 * time.Second
)

type server struct {
	ID      string `json:"id"`
	Address string `json:"address"`
}

type options struct {
	ID        string `json:"id"`
	Address   string `json:"address"`
	Directory string `json:"directory"`
	// Others are the members besides this one.
	Others []server `json:"others"`
	// Timeouts are in milliseconds.
	HeartbeatTimeoutMs   int `json:"heartbeatTimeoutMs"`
	ElectionTimeoutMs    int `json:"electionTimeoutMs"`
	LeaderLeaseTimeoutMs int `json:"leaderLeaseTimeoutMs"`
	// TrailingLogs are the entries kept behind a snapshot, which is taken when it is asked for.
	TrailingLogs uint64 `json:"trailingLogs"`
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	if len(os.Args) != 2 {
		return errors.New("usage: hashicorp OPTIONS")
	}
	var opts options
	if err := json.Unmarshal([]byte(os.Args[1]), &opts); err != nil {
		return err
	}
	one, err := open(opts)
	if err != nil {
		return err
	}
	return questions.Answer(os.Stdin, os.Stdout, one.find)
}

type member struct {
	raft *raft.Raft
	fsm  *fsm
	log  raft.LogStore
}

func open(opts options) (*member, error) {
	if err := os.MkdirAll(opts.Directory, 0o700); err != nil {
		return nil, err
	}
	logs, err := raftboltdb.NewBoltStore(filepath.Join(opts.Directory, "raft-log.db"))
	if err != nil {
		return nil, err
	}
	stable, err := raftboltdb.NewBoltStore(filepath.Join(opts.Directory, "raft-stable.db"))
	if err != nil {
		return nil, err
	}
	snapshots, err := raft.NewFileSnapshotStore(opts.Directory, snapshotsKept, os.Stderr)
	if err != nil {
		return nil, err
	}
	advertised, err := net.ResolveTCPAddr("tcp", opts.Address)
	if err != nil {
		return nil, err
	}
	transport, err := raft.NewTCPTransport(
		opts.Address, advertised, connectionsMax, transportTimeout, os.Stderr)
	if err != nil {
		return nil, err
	}
	machine := &fsm{}
	node, err := raft.NewRaft(config(opts), machine, logs, stable, snapshots, transport)
	if err != nil {
		return nil, err
	}
	if err := bootstrap(node, opts); err != nil {
		return nil, err
	}
	return &member{raft: node, fsm: machine, log: logs}, nil
}

func config(opts options) *raft.Config {
	c := raft.DefaultConfig()
	c.LocalID = raft.ServerID(opts.ID)
	c.Logger = hclog.New(&hclog.LoggerOptions{Name: opts.ID, Level: hclog.Info, Output: os.Stderr})
	c.HeartbeatTimeout = time.Duration(opts.HeartbeatTimeoutMs) * time.Millisecond
	c.ElectionTimeout = time.Duration(opts.ElectionTimeoutMs) * time.Millisecond
	c.LeaderLeaseTimeout = time.Duration(opts.LeaderLeaseTimeoutMs) * time.Millisecond
	c.TrailingLogs = opts.TrailingLogs
	// Its own clock takes none.
	c.SnapshotThreshold = 1 << 62
	return c
}

// bootstrap does what ev-node does at its start: a member without a configuration writes one, itself first.
func bootstrap(node *raft.Raft, opts options) error {
	known := node.GetConfiguration()
	if err := known.Error(); err != nil {
		return err
	}
	if len(known.Configuration().Servers) > 0 {
		return nil
	}
	servers := append([]server{{ID: opts.ID, Address: opts.Address}}, opts.Others...)
	configuration := raft.Configuration{}
	for _, one := range servers {
		configuration.Servers = append(configuration.Servers, raft.Server{
			ID: raft.ServerID(one.ID), Address: raft.ServerAddress(one.Address),
		})
	}
	return node.BootstrapCluster(configuration).Error()
}
