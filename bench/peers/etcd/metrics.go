package main

import (
	"bufio"
	"net/http"
	"strconv"
	"strings"
	"time"

	"ev-sequencer/bench/peers/member"
)

const (
	hasLeaderMetric = "etcd_server_has_leader"
	appliedMetric   = "etcd_server_proposals_applied_total"
	metricsPause    = 20 * time.Millisecond
)

// watchStart tells what a member does before it serves clients, which is when it has caught up: that it
// listens, that it has a leader, and how far it has applied its log.
func (s *server) watchStart(served <-chan struct{}) {
	var isStarted, hasContact bool
	var told uint64
	for isServed := false; ; time.Sleep(metricsPause) {
		select {
		case <-served:
			isServed = true
		default:
		}
		values, err := s.process.metrics()
		if err != nil {
			continue // it does not listen yet
		}
		if !isStarted {
			s.channel.Started()
			isStarted = true
		}
		if !hasContact && values[hasLeaderMetric] == 1 {
			s.channel.Contact()
			hasContact = true
		}
		if index := uint64(values[appliedMetric]); index != told {
			s.channel.Delivered(index, member.NowMs())
			told = index
		}
		if isServed && hasContact {
			return
		}
	}
}

func (p *process) metrics() (map[string]float64, error) {
	response, err := http.Get(p.metricsURL + "/metrics")
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	values := map[string]float64{}
	for lines := bufio.NewScanner(response.Body); lines.Scan(); {
		name, text, _ := strings.Cut(lines.Text(), " ")
		if name != hasLeaderMetric && name != appliedMetric {
			continue
		}
		if values[name], err = strconv.ParseFloat(text, 64); err != nil {
			return nil, err
		}
	}
	return values, nil
}
