package member

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// Usage is what a process has used since its start, and holds now.
type Usage struct {
	// CPUSeconds are of all its threads.
	CPUSeconds    float64 `json:"cpuSeconds"`
	ResidentBytes int64   `json:"residentBytes"`
}

// Linux counts processor time in these, whatever its clock.
const ticksPerSecond = 100

// UsageOf reads what Linux tells of a process.
func UsageOf(pid int) (Usage, error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return Usage{}, err
	}
	// The second field is the name in parentheses, and may hold spaces.
	fields := strings.Fields(string(stat[strings.LastIndexByte(string(stat), ')')+1:]))
	const user, system, resident = 11, 12, 21
	if len(fields) <= resident {
		return Usage{}, fmt.Errorf("the kernel tells too little of process %d: %q", pid, stat)
	}
	var numbers [3]int64
	for at, field := range []int{user, system, resident} {
		if numbers[at], err = strconv.ParseInt(fields[field], 10, 64); err != nil {
			return Usage{}, err
		}
	}
	return Usage{
		CPUSeconds:    float64(numbers[0]+numbers[1]) / ticksPerSecond,
		ResidentBytes: numbers[2] * int64(os.Getpagesize()),
	}, nil
}
