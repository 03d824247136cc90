// A cluster of three on hashicorp/raft and BoltDB, as ev-node wires it, for the benchmark to compare with.
//
// `hashicorp DIR` starts two followers as processes of their own, leads them, and then takes loads as
// lines of JSON on its standard input, each answered by a line. It ends, with its followers, with its input.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"github.com/hashicorp/raft"
	raftboltdb "github.com/hashicorp/raft-boltdb"
)

const members = 3
const patience = 30 * time.Second

type load struct {
	SizeBytes int     `json:"sizeBytes"`
	InFlight  int     `json:"inFlight"`
	Seconds   float64 `json:"seconds"`
}

type result struct {
	ElapsedMs   float64   `json:"elapsedMs"`
	LatenciesMs []float64 `json:"latenciesMs"`
}

// lifelines are the followers' inputs, which end when this process does, however that is. They are kept
// from the garbage collector, which would close them.
var lifelines []io.Closer

// nothing applies entries to no state: only the log is measured.
type nothing struct{}

func (nothing) Apply(*raft.Log) any                 { return nil }
func (nothing) Snapshot() (raft.FSMSnapshot, error) { return nil, errors.New("there is no state") }
func (nothing) Restore(io.ReadCloser) error         { return errors.New("there is no state") }

func main() {
	var err error
	switch {
	case len(os.Args) == 2:
		err = lead(os.Args[1])
	case len(os.Args) == 3+members:
		err = follow(os.Args[1], os.Args[2], os.Args[3:])
	default:
		err = errors.New("usage: hashicorp DIR")
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// follow runs a follower until its standard input ends.
func follow(index, dir string, addresses []string) error {
	at, err := strconv.Atoi(index)
	if err != nil {
		return err
	}
	if _, err := open(at, dir, addresses); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, os.Stdin)
	return err
}

func lead(dir string) error {
	addresses, err := freeAddresses()
	if err != nil {
		return err
	}
	for at := 1; at < members; at++ {
		arguments := append([]string{strconv.Itoa(at), filepath.Join(dir, strconv.Itoa(at))}, addresses...)
		follower := exec.Command(os.Args[0], arguments...)
		follower.Stderr = os.Stderr
		pipe, err := follower.StdinPipe()
		if err != nil {
			return err
		}
		lifelines = append(lifelines, pipe)
		if err := follower.Start(); err != nil {
			return err
		}
	}
	leader, err := open(0, filepath.Join(dir, "0"), addresses)
	if err != nil {
		return err
	}
	configuration := raft.Configuration{}
	for at, address := range addresses {
		id, address := raft.ServerID(strconv.Itoa(at)), raft.ServerAddress(address)
		configuration.Servers = append(configuration.Servers, raft.Server{ID: id, Address: address})
	}
	if err := leader.BootstrapCluster(configuration).Error(); err != nil {
		return err
	}
	for deadline := time.Now().Add(patience); leader.State() != raft.Leader; {
		if time.Now().After(deadline) {
			return errors.New("no leader was elected")
		}
		time.Sleep(10 * time.Millisecond)
	}
	return takeLoads(leader)
}

func takeLoads(leader *raft.Raft) error {
	output := json.NewEncoder(os.Stdout)
	if err := output.Encode(map[string]string{"kind": "ready"}); err != nil {
		return err
	}
	for input := bufio.NewScanner(os.Stdin); input.Scan(); {
		var wanted load
		if err := json.Unmarshal(input.Bytes(), &wanted); err != nil {
			return err
		}
		measured, err := run(leader, wanted)
		if err != nil {
			return err
		}
		if err := output.Encode(measured); err != nil {
			return err
		}
	}
	return nil
}

// run keeps `InFlight` entries under way, each from the call to its answer.
func run(leader *raft.Raft, wanted load) (result, error) {
	data := make([]byte, wanted.SizeBytes)
	started := time.Now()
	end := started.Add(time.Duration(wanted.Seconds * float64(time.Second)))
	lanes := make([][]float64, wanted.InFlight)
	failures := make([]error, wanted.InFlight)
	var done sync.WaitGroup
	for at := range lanes {
		done.Add(1)
		go func() {
			defer done.Done()
			for time.Now().Before(end) {
				proposed := time.Now()
				if err := leader.Apply(data, patience).Error(); err != nil {
					failures[at] = err
					return
				}
				lanes[at] = append(lanes[at], milliseconds(time.Since(proposed)))
			}
		}()
	}
	done.Wait()
	measured := result{ElapsedMs: milliseconds(time.Since(started))}
	for _, lane := range lanes {
		measured.LatenciesMs = append(measured.LatenciesMs, lane...)
	}
	return measured, errors.Join(failures...)
}

func open(at int, dir string, addresses []string) (*raft.Raft, error) {
	config := raft.DefaultConfig()
	config.LocalID = raft.ServerID(strconv.Itoa(at))
	config.LogLevel = "ERROR"
	// No election may disturb a measurement, and no snapshot is of anything.
	config.HeartbeatTimeout, config.ElectionTimeout = time.Second, 2*time.Second
	config.LeaderLeaseTimeout = 500 * time.Millisecond
	config.SnapshotThreshold = 1 << 62
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	store, err := raftboltdb.NewBoltStore(filepath.Join(dir, "raft.db"))
	if err != nil {
		return nil, err
	}
	advertised, err := net.ResolveTCPAddr("tcp", addresses[at])
	if err != nil {
		return nil, err
	}
	transport, err := raft.NewTCPTransport(addresses[at], advertised, members, 10*time.Second, os.Stderr)
	if err != nil {
		return nil, err
	}
	return raft.NewRaft(config, nothing{}, store, store, raft.NewInmemSnapshotStore(), transport)
}

func freeAddresses() ([]string, error) {
	var addresses []string
	for range members {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		addresses = append(addresses, listener.Addr().String())
		defer listener.Close()
	}
	return addresses, nil
}

func milliseconds(duration time.Duration) float64 {
	return float64(duration.Nanoseconds()) / 1e6
}
