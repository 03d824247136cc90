// Package questions is how a test talks to a Go program that it started: lines of JSON on the program's
// input, each answered by a line on its output, in any order.
package questions

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"sync"
)

const lineMaxBytes = 64 << 20

type question struct {
	Number int    `json:"number"`
	Ask    string `json:"ask"`
	// With holds what the question is about.
	With json.RawMessage `json:"with"`
}

type reply struct {
	Number int    `json:"number"`
	Error  string `json:"error,omitempty"`
	Answer any    `json:"answer,omitempty"`
}

// Find returns the answer to what is asked; `with` decodes what it is about.
type Find func(ask string, with func(into any) error) (any, error)

// Answer says first that it listens, by a reply to number 0, and takes questions until the input ends. Each
// has a goroutine, since some wait for others.
func Answer(input io.Reader, output io.Writer, find Find) error {
	encoder := json.NewEncoder(output)
	var writing sync.Mutex
	var failed error
	say := func(said reply) {
		writing.Lock()
		defer writing.Unlock()
		failed = errors.Join(failed, encoder.Encode(said))
	}
	say(reply{})
	lines := bufio.NewScanner(input)
	lines.Buffer(nil, lineMaxBytes)
	for lines.Scan() {
		var asked question
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
			return err
		}
		go func() {
			with := func(into any) error { return json.Unmarshal(asked.With, into) }
			found, err := find(asked.Ask, with)
			if err != nil {
				say(reply{Number: asked.Number, Error: err.Error()})
				return
			}
			say(reply{Number: asked.Number, Answer: found})
		}()
	}
	writing.Lock()
	defer writing.Unlock()
	return errors.Join(failed, lines.Err())
}
