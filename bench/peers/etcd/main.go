// One member of an etcd cluster for the benchmark to compare with: the etcd that is installed here as a
// process of its own, which ends with this one, and etcd's client.
package main

import (
	"context"
	"fmt"
	"os"
	"runtime"
	"time"

	"ev-sequencer/bench/peers/member"

	clientv3 "go.etcd.io/etcd/client/v3"
)

const (
	// key is the only one that is written: each put is one entry in the log.
	key = "bench"
	// putLimit is for puts that went to a leader which is gone.
	putLimit = 2 * time.Second
	// rolePause is the time between two looks at a member's role: a short one while it has no leader.
	rolePause, noRolePause = 50 * time.Millisecond, 5 * time.Millisecond
	lookLimit              = time.Second
)

// etcd shall end when the thread that started it does: this one, which main keeps.
func init() { runtime.LockOSThread() }

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
	process, err := start(options, channel)
	if err != nil {
		return err
	}
	client, err := dial(process.clientURL)
	if err != nil {
		return err
	}
	server := &server{process: process, client: client, channel: channel}
	go server.watch()
	return channel.Serve(server)
}

type server struct {
	process *process
	client  *clientv3.Client
	channel *member.Channel
}

func (s *server) Commit(data []byte) error {
	_, err := s.client.Put(context.Background(), key, string(data))
	return err
}

// CommitBlock is one put: etcd's leader needs no barrier around it.
func (s *server) CommitBlock(data []byte) error { return s.Commit(data) }

// KeepProposing puts by this member whoever leads, at a steady pace: a put waits in a member that has no
// leader, and one that went to a leader which is gone is lost.
func (s *server) KeepProposing(ctx context.Context, data []byte, pause time.Duration) {
	ticker := time.NewTicker(pause)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		go func() {
			putCtx, cancel := context.WithTimeout(ctx, putLimit)
			defer cancel()
			// A put that fails is one without a leader: then there is nothing to tell.
			if put, err := s.client.Put(putCtx, key, string(data)); err == nil {
				s.channel.Acknowledged(put.Header.RaftTerm)
			}
		}()
	}
}

func (s *server) Usage() (member.Usage, error) { return member.UsageOf(s.process.pid()) }

func (s *server) HandOver() error { return s.process.terminate() }

func (s *server) Stop() error { return s.process.kill() }

// watch tells of the start first, which only metrics show, and then of each role.
func (s *server) watch() {
	served := make(chan struct{})
	go s.watchStart(served)
	var told member.Role
	for isServed := false; ; {
		role, err := s.role()
		if err != nil || role.LeaderID == nil {
			time.Sleep(noRolePause)
			continue
		}
		if !isServed {
			close(served)
			isServed = true
		}
		if told.LeaderID == nil || told.Term != role.Term || *told.LeaderID != *role.LeaderID {
			s.channel.Role(role)
			told = role
		}
		time.Sleep(rolePause)
	}
}

// role is what the member says of itself; without a leader while it has none that it knows by name.
func (s *server) role() (member.Role, error) {
	ctx, cancel := context.WithTimeout(context.Background(), lookLimit)
	defer cancel()
	status, err := s.client.Status(ctx, s.process.clientURL)
	if err != nil || status.Leader == 0 {
		return member.Role{}, err
	}
	listed, err := s.client.MemberList(ctx)
	if err != nil {
		return member.Role{}, err
	}
	role := member.Role{Term: status.RaftTerm, HasJoined: true}
	for _, one := range listed.Members {
		if one.ID == status.Leader && one.Name != "" {
			role.LeaderID = &one.Name
		}
	}
	return role, nil
}
