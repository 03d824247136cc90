package main

import (
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"ev-sequencer/bench/peers/member"

	clientv3 "go.etcd.io/etcd/client/v3"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
)

// etcd takes no snapshot, and no alarm, of what a benchmark writes.
const (
	snapshotCount     = 100_000_000
	quotaBackendBytes = 8 << 30
)

// process is etcd itself.
type process struct {
	command    *exec.Cmd
	clientURL  string
	metricsURL string
	isEnding   atomic.Bool
	ended      chan struct{}
}

func start(options member.Options, channel *member.Channel) (*process, error) {
	ports, err := freePorts(2)
	if err != nil {
		return nil, err
	}
	p := &process{clientURL: urlOf(ports[0]), metricsURL: urlOf(ports[1]), ended: make(chan struct{})}
	p.command = exec.Command("etcd", arguments(options, p)...)
	p.command.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	logPath := options.RaftDir + ".log"
	log, err := os.OpenFile(logPath, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	p.command.Stdout, p.command.Stderr = log, log
	if err := p.command.Start(); err != nil {
		return nil, err
	}
	go func() {
		err := p.command.Wait()
		close(p.ended)
		if !p.isEnding.Load() {
			said, _ := os.ReadFile(logPath) // without it the error says less
			channel.Fail(fmt.Errorf("etcd ended: %w\n%s", err, said))
		}
	}()
	return p, nil
}

func arguments(options member.Options, p *process) []string {
	members := []string{options.ID + "=http://" + options.AdvertisedAddress}
	for _, peer := range options.Peers {
		members = append(members, peer[0]+"=http://"+peer[1])
	}
	// A follower of hashicorp/raft waits for the heartbeat timeout and up to as long again; one of etcd does
	// so for its election timeout, which must be five heartbeats.
	patienceMs := options.Timeouts.HeartbeatTimeoutMs
	return []string{
		"--name", options.ID,
		"--data-dir", options.RaftDir,
		"--listen-peer-urls", "http://" + options.ListenAddress(),
		"--initial-advertise-peer-urls", "http://" + options.AdvertisedAddress,
		"--initial-cluster", strings.Join(members, ","),
		"--listen-client-urls", p.clientURL,
		"--advertise-client-urls", p.clientURL,
		"--listen-metrics-urls", p.metricsURL,
		"--heartbeat-interval", fmt.Sprint(patienceMs / 5),
		"--election-timeout", fmt.Sprint(patienceMs),
		"--snapshot-count", fmt.Sprint(snapshotCount),
		"--quota-backend-bytes", fmt.Sprint(quotaBackendBytes),
		"--logger", "zap", "--log-level", "error", "--log-outputs", "stderr",
	}
}

func (p *process) pid() int { return p.command.Process.Pid }

// terminate lets etcd hand over.
func (p *process) terminate() error {
	p.isEnding.Store(true)
	if err := p.command.Process.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	<-p.ended
	return nil
}

func (p *process) kill() error {
	p.isEnding.Store(true)
	if err := p.command.Process.Kill(); err != nil {
		return err
	}
	<-p.ended
	return nil
}

// dial returns a client of this one member, which tries again soon while the member starts.
func dial(url string) (*clientv3.Client, error) {
	soon := backoff.Config{BaseDelay: 5 * time.Millisecond, Multiplier: 1, MaxDelay: 5 * time.Millisecond}
	return clientv3.New(clientv3.Config{
		Endpoints:   []string{url},
		Logger:      zap.NewNop(),
		DialOptions: []grpc.DialOption{grpc.WithConnectParams(grpc.ConnectParams{Backoff: soon})},
	})
}

// Below those that Linux gives to outgoing connections: one of these would be taken before etcd binds it.
const (
	firstPort = 20_000
	lastPort  = 32_000
)

func freePorts(count int) ([]int, error) {
	var ports []int
	for attempt := 0; len(ports) < count; attempt++ {
		port := firstPort + rand.IntN(lastPort-firstPort)
		listener, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		if err == nil {
			defer listener.Close()
			ports = append(ports, port)
		} else if attempt >= 100 {
			return nil, err
		}
	}
	return ports, nil
}

func urlOf(port int) string { return fmt.Sprintf("http://127.0.0.1:%d", port) }
