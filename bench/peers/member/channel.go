// Package member is what the benchmark says to a member of a cluster that is written in Go, and what it
// hears from it: lines of JSON on Node's IPC channel, the same messages as in bench/member/protocol.ts.
package member

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Options are those of one member.
type Options struct {
	ID string `json:"id"`
	// RaftDir holds its log.
	RaftDir string `json:"raftDir"`
	Port    int    `json:"port"`
	// AdvertisedAddress is where the others find it: behind a slow network that is not where it listens.
	AdvertisedAddress string `json:"advertisedAddress"`
	// Peers are the others, each an id and an address.
	Peers    [][2]string `json:"peers"`
	Timeouts struct {
		HeartbeatTimeoutMs   int `json:"heartbeatTimeoutMs"`
		ElectionTimeoutMs    int `json:"electionTimeoutMs"`
		LeaderLeaseTimeoutMs int `json:"leaderLeaseTimeoutMs"`
	} `json:"timeouts"`
}

// ListenAddress is where the member takes connections of the others.
func (o Options) ListenAddress() string {
	return fmt.Sprintf("127.0.0.1:%d", o.Port)
}

// Role is what a member holds to be true of its cluster.
type Role struct {
	Term     uint64  `json:"term"`
	LeaderID *string `json:"leaderId"`
	// HasJoined says that it follows the leader, or has committed as one.
	HasJoined bool `json:"hasJoined"`
}

// Channel leads to the benchmark.
type Channel struct {
	file    *os.File
	writing sync.Mutex
}

// Open returns the channel that the benchmark gave to this process, and the member it shall be.
func Open() (*Channel, Options, error) {
	var options Options
	if len(os.Args) != 2 {
		return nil, options, errors.New("usage: (the benchmark starts this program)")
	}
	if err := json.Unmarshal([]byte(os.Args[1]), &options); err != nil {
		return nil, options, err
	}
	descriptor, err := strconv.Atoi(os.Getenv("NODE_CHANNEL_FD"))
	if err != nil {
		return nil, options, fmt.Errorf("there is no channel to the benchmark: %w", err)
	}
	return &Channel{file: os.NewFile(uintptr(descriptor), "benchmark")}, options, nil
}

// NowMs is the machine's monotonic clock, which the benchmark reads as well.
func NowMs() float64 {
	var now unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &now); err != nil {
		panic(err) // Linux always has this clock
	}
	return float64(now.Nano()) / float64(time.Millisecond)
}

// Started says that the member takes connections of the others.
func (c *Channel) Started() {
	c.tell(map[string]any{"kind": "started", "atMs": NowMs()})
}

// Contact says that the member has a leader for the first time since its start.
func (c *Channel) Contact() {
	c.tell(map[string]any{"kind": "contact", "atMs": NowMs()})
}

// Role says what has become true.
func (c *Channel) Role(role Role) {
	c.tell(map[string]any{"kind": "role", "report": role, "atMs": NowMs()})
}

// Acknowledged says that a command of the light load was committed in a term.
func (c *Channel) Acknowledged(term uint64) {
	c.tell(map[string]any{"kind": "acknowledged", "term": term, "atMs": NowMs()})
}

// Delivered says how far the log has been applied.
func (c *Channel) Delivered(index uint64, atMs float64) {
	c.tell(map[string]any{"kind": "delivered", "index": index, "atMs": atMs})
}

// Fail ends this process, and the benchmark with it.
func (c *Channel) Fail(err error) {
	c.tell(map[string]any{"kind": "failed", "message": err.Error()})
	os.Exit(1)
}

func (c *Channel) answer(requestID int, result any) {
	c.tell(map[string]any{"kind": "answer", "requestId": requestID, "result": result})
}

func (c *Channel) tell(message any) {
	line, err := json.Marshal(message)
	if err != nil {
		panic(err) // of what this package makes, and all of that is JSON
	}
	c.writing.Lock()
	defer c.writing.Unlock()
	if _, err := c.file.Write(append(line, '\n')); err != nil {
		os.Exit(1) // the benchmark is gone
	}
}
