// One member of a cluster on hashicorp/raft and BoltDB, wired as ev-node wires it, for the benchmark to
// compare with.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"sync"
	"time"

	"ev-sequencer/bench/peers/member"

	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb"
)

const (
	patience         = 30 * time.Second
	connectionsMax   = 3
	transportTimeout = 10 * time.Second
	// deliveryPause is how often the member says how far it has applied its log.
	deliveryPause = 20 * time.Millisecond
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	channel, options, err := member.Open()
	if err != nil {
		return err
	}
	machine := &nothing{}
	node, err := open(options, machine)
	if err != nil {
		return err
	}
	server := &server{raft: node, channel: channel}
	channel.Started()
	go server.tellRoles()
	go tellDeliveries(machine, channel)
	return channel.Serve(server)
}

type server struct {
	raft    *raft.Raft
	channel *member.Channel
}

func (s *server) Commit(data []byte) error {
	return s.raft.Apply(data, patience).Error()
}

// CommitBlock is what ev-node's executor does for a block: it asks twice whether there is a quorum, each
// time by a barrier, before it broadcasts the block.
func (s *server) CommitBlock(data []byte) error {
	for range 2 {
		if err := s.raft.Barrier(patience).Error(); err != nil {
			return err
		}
	}
	return s.Commit(data)
}

func (s *server) KeepProposing(ctx context.Context, data []byte, pause time.Duration) {
	for ctx.Err() == nil {
		if s.raft.State() != raft.Leader {
			select {
			case <-ctx.Done():
			case <-s.raft.LeaderCh():
			}
			continue
		}
		term := s.raft.CurrentTerm()
		// It fails where the leadership is lost or handed over: then there is nothing to tell.
		if err := s.Commit(data); err == nil {
			s.channel.Acknowledged(term)
		}
		time.Sleep(pause)
	}
}

func (s *server) Usage() (member.Usage, error) { return member.UsageOf(os.Getpid()) }

func (s *server) HandOver() error {
	if s.raft.State() == raft.Leader {
		// ev-node ends all the same where nobody takes over; the gap shows it.
		if err := s.raft.LeadershipTransfer().Error(); err != nil {
			fmt.Fprintln(os.Stderr, err)
		}
	}
	return s.Stop()
}

func (s *server) Stop() error { return s.raft.Shutdown().Error() }

func (s *server) tellRoles() {
	observations := make(chan raft.Observation, 64)
	// Where one is dropped, another is still in the channel, and stands for it.
	s.raft.RegisterObserver(raft.NewObserver(observations, false, nil))
	hasContact := false
	for ; ; <-observations {
		_, leader := s.raft.LeaderWithID()
		if leader == "" {
			continue
		}
		if !hasContact {
			s.channel.Contact()
			hasContact = true
		}
		if s.raft.State() == raft.Leader && s.raft.Barrier(patience).Error() != nil {
			continue // it leads no more
		}
		id := string(leader)
		s.channel.Role(member.Role{Term: s.raft.CurrentTerm(), LeaderID: &id, HasJoined: true})
	}
}

// nothing is the state that entries are applied to: only the log is measured.
type nothing struct {
	mutex sync.Mutex
	index uint64
	atMs  float64
}

func (n *nothing) Apply(entry *raft.Log) any {
	n.mutex.Lock()
	defer n.mutex.Unlock()
	n.index, n.atMs = entry.Index, member.NowMs()
	return nil
}

func (n *nothing) Snapshot() (raft.FSMSnapshot, error) { return nil, errors.New("there is no state") }
func (n *nothing) Restore(io.ReadCloser) error         { return errors.New("there is no state") }

func tellDeliveries(machine *nothing, channel *member.Channel) {
	var told uint64
	for range time.Tick(deliveryPause) {
		machine.mutex.Lock()
		index, atMs := machine.index, machine.atMs
		machine.mutex.Unlock()
		if index != told {
			channel.Delivered(index, atMs)
			told = index
		}
	}
}

func open(options member.Options, machine raft.FSM) (*raft.Raft, error) {
	if err := os.MkdirAll(options.RaftDir, 0o700); err != nil {
		return nil, err
	}
	logs, err := raftboltdb.NewBoltStore(filepath.Join(options.RaftDir, "raft-log.db"))
	if err != nil {
		return nil, err
	}
	stable, err := raftboltdb.NewBoltStore(filepath.Join(options.RaftDir, "raft-stable.db"))
	if err != nil {
		return nil, err
	}
	advertised, err := net.ResolveTCPAddr("tcp", options.AdvertisedAddress)
	if err != nil {
		return nil, err
	}
	transport, err := raft.NewTCPTransport(
		options.ListenAddress(), advertised, connectionsMax, transportTimeout, io.Discard)
	if err != nil {
		return nil, err
	}
	config := configOf(options)
	snapshots := raft.NewInmemSnapshotStore()
	node, err := raft.NewRaft(config, machine, logs, stable, snapshots, transport)
	if err != nil {
		return nil, err
	}
	return node, bootstrap(node, options)
}

func configOf(options member.Options) *raft.Config {
	timeouts := options.Timeouts
	config := raft.DefaultConfig()
	config.LocalID = raft.ServerID(options.ID)
	config.LogLevel = "OFF"
	config.HeartbeatTimeout = time.Duration(timeouts.HeartbeatTimeoutMs) * time.Millisecond
	config.ElectionTimeout = time.Duration(timeouts.ElectionTimeoutMs) * time.Millisecond
	config.LeaderLeaseTimeout = time.Duration(timeouts.LeaderLeaseTimeoutMs) * time.Millisecond
	// There is nothing to take one of.
	config.SnapshotThreshold = 1 << 62
	return config
}

// bootstrap does what ev-node does at its start: a member without a configuration writes one.
func bootstrap(node *raft.Raft, options member.Options) error {
	known := node.GetConfiguration()
	if err := known.Error(); err != nil {
		return err
	}
	if len(known.Configuration().Servers) > 0 {
		return nil
	}
	self := [2]string{options.ID, options.AdvertisedAddress}
	configuration := raft.Configuration{}
	for _, one := range append([][2]string{self}, options.Peers...) {
		configuration.Servers = append(configuration.Servers, raft.Server{
			ID: raft.ServerID(one[0]), Address: raft.ServerAddress(one[1]),
		})
	}
	return node.BootstrapCluster(configuration).Error()
}
