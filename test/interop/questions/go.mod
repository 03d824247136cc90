module ev-sequencer/test/interop/questions

go 1.24
