// ev-node itself, by its own module, for tests that show it what our nodes have written: its types judge
// our blocks, its sync services fetch them over libp2p and serve us theirs, and its Raft node is a member
// of our clusters.
//
// `evnode` takes questions (package questions), and ends with its input.
package main

import (
	"context"
	"fmt"
	"os"

	"ev-sequencer/test/interop/questions"

	"github.com/rs/zerolog"
)

func main() {
	logger := zerolog.New(os.Stderr).Level(zerolog.InfoLevel).With().Timestamp().Logger()
	one := &node{context: context.Background(), logger: logger}
	if err := questions.Answer(os.Stdin, os.Stdout, one.find); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// node is what a question may start. It lasts until the process ends.
type node struct {
	context context.Context
	logger  zerolog.Logger
	raft    *raftMember
}

func (n *node) find(ask string, with func(any) error) (any, error) {
	switch ask {
	case "genesis":
		return answer(with, readGenesis)
	case "signer":
		return answer(with, useSigner)
	case "nodeKey":
		return answer(with, readNodeKey)
	case "chain":
		return answer(with, judgeChain)
	case "sync":
		return answer(with, n.sync)
	case "serve":
		return answer(with, n.serve)
	case "join":
		return answer(with, n.join)
	case "status":
		return n.raft.status()
	case "produce":
		return answer(with, n.raft.produce)
	case "resign":
		return nil, n.raft.node.ResignLeader(n.context)
	default:
		return nil, fmt.Errorf("nobody knows %q", ask)
	}
}

func answer[With, Answer any](with func(any) error, find func(With) (Answer, error)) (any, error) {
	var about With
	if err := with(&about); err != nil {
		return nil, err
	}
	return find(about)
}
