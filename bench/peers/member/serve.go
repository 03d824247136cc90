package member

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"os/signal"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Member is what the benchmark measures.
type Member interface {
	// Commit returns once the data is committed.
	Commit(data []byte) error
	// CommitBlock commits it as ev-node commits a block: with all that it asks of its peers for one.
	CommitBlock(data []byte) error
	// KeepProposing commits the data again and again, whenever this member can, until the context ends.
	KeepProposing(ctx context.Context, data []byte, pause time.Duration)
	Usage() (Usage, error)
	// HandOver ends it as an operator would: another leads before it is gone.
	HandOver() error
	// Stop ends it at once.
	Stop() error
}

// Load is work for a leader, and how long it may take: it ends at whichever comes first.
type Load struct {
	SizeBytes int     `json:"sizeBytes"`
	InFlight  int     `json:"inFlight"`
	Seconds   float64 `json:"seconds"`
	// CommitsMax is nil where only time ends the load.
	CommitsMax *int64 `json:"commitsMax"`
	AsBlocks   bool   `json:"asBlocks"`
}

type result struct {
	ElapsedMs   float64   `json:"elapsedMs"`
	LatenciesMs []float64 `json:"latenciesMs"`
}

type question struct {
	Kind      string `json:"kind"`
	RequestID int    `json:"requestId"`
	PauseMs   int    `json:"pauseMs"`
	Load
}

// Serve answers the benchmark until it wants no more, or is gone.
func (c *Channel) Serve(member Member) error {
	terminated := make(chan os.Signal, 1)
	signal.Notify(terminated, syscall.SIGTERM)
	go func() {
		<-terminated
		if err := member.HandOver(); err != nil {
			c.Fail(err)
		}
		os.Exit(0)
	}()
	rest := context.CancelFunc(func() {})
	for lines := bufio.NewScanner(c.file); lines.Scan(); {
		var asked question
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
			return err
		}
		switch asked.Kind {
		case "load":
			go c.serveLoad(member, asked)
		case "usage":
			used, err := member.Usage()
			if err != nil {
				return err
			}
			c.answer(asked.RequestID, used)
		case "keepProposing":
			rest()
			ctx, cancel := context.WithCancel(context.Background())
			rest = cancel
			pause := time.Duration(asked.PauseMs) * time.Millisecond
			go member.KeepProposing(ctx, make([]byte, asked.SizeBytes), pause)
			c.answer(asked.RequestID, nil)
		case "rest":
			rest()
			c.answer(asked.RequestID, nil)
		case "stop":
			rest()
			if err := member.Stop(); err != nil {
				return err
			}
			c.answer(asked.RequestID, nil)
			return nil
		default:
			return fmt.Errorf("nobody knows %q", asked.Kind)
		}
	}
	return member.Stop()
}

func (c *Channel) serveLoad(member Member, asked question) {
	measured, err := run(member, asked.Load)
	if err != nil {
		c.Fail(err)
	}
	c.answer(asked.RequestID, measured)
}

// run keeps `InFlight` entries under way, each timed from the call to its answer.
func run(member Member, load Load) (result, error) {
	commit := member.Commit
	if load.AsBlocks {
		commit = member.CommitBlock
	}
	commitsMax := int64(math.MaxInt64)
	if load.CommitsMax != nil {
		commitsMax = *load.CommitsMax
	}
	data := make([]byte, load.SizeBytes)
	lanes := make([][]float64, load.InFlight)
	failures := make([]error, load.InFlight)
	started := NowMs()
	end := started + load.Seconds*1000
	var proposed atomic.Int64
	var done sync.WaitGroup
	for at := range lanes {
		done.Add(1)
		go func() {
			defer done.Done()
			for NowMs() < end && proposed.Add(1) <= commitsMax {
				proposedMs := NowMs()
				if err := commit(data); err != nil {
					failures[at] = err
					return
				}
				lanes[at] = append(lanes[at], NowMs()-proposedMs)
			}
		}()
	}
	done.Wait()
	measured := result{ElapsedMs: NowMs() - started, LatenciesMs: []float64{}}
	for _, lane := range lanes {
		measured.LatenciesMs = append(measured.LatenciesMs, lane...)
	}
	return measured, errors.Join(failures...)
}
