package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
)

// Calls that stay open, a line of standard input each: "JOB_SET JOB_ID" waits for the end of a job, "JOB_SET" watches a job set until one
// of its jobs ends. Each prints, when it ends, "MICROSECONDS JOBS CODE JOB_ID": the time since 1970, how many jobs
// it sent (1 for a wait that saw the end), and how it ended.
type openCalls struct {
	clients []*grpc.ClientConn
	queue   string
	maxWait time.Duration
	// How fast they are begun: what opening costs is not what is measured.
	perSecond int
}

func (o openCalls) run() {
	out := bufio.NewWriter(os.Stdout)
	ended := make(chan string, 100_000)
	var wait sync.WaitGroup
	next := 0
	pace := time.NewTicker(time.Second / time.Duration(o.perSecond))
	defer pace.Stop()
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); next++ {
		jobSet, jobID, isWait := strings.Cut(lines.Text(), " ")
		client := o.clients[next%len(o.clients)]
		wait.Add(1)
		<-pace.C
		go func() {
			defer wait.Done()
			jobs, err := 0, error(nil)
			if isWait {
				jobs, err = o.wait(client, jobSet, jobID)
			} else {
				jobs, err = o.watch(client, jobSet)
			}
			ended <- fmt.Sprintf("%d %d %s %s\n", time.Now().UnixMicro(), jobs, status.Code(err), jobID)
		}()
	}
	go func() { wait.Wait(); close(ended) }()
	for line := range ended {
		out.WriteString(line)
		if len(ended) == 0 {
			out.Flush()
		}
	}
	out.Flush()
}

func (o openCalls) wait(client *grpc.ClientConn, jobSet, jobID string) (int, error) {
	// As a client does that wants its answer: the deadline of the call is no part of what is waited for.
	ctx, cancel := context.WithTimeout(context.Background(), o.maxWait+10*time.Second)
	defer cancel()
	// A jobservice.v2.WaitForJobsRequest: 1 refs, each a JobRef (1 queue, 2 job_set, 3 job_id); 5 max_wait, a Duration (1 seconds).
	message := field(nil, 1, field(field(field(nil, 1, []byte(o.queue)), 2, []byte(jobSet)), 3, []byte(jobID)))
	message = field(message, 5, binary.AppendUvarint([]byte{1 << 3}, uint64(o.maxWait.Seconds())))
	var answer []byte
	if err := client.Invoke(ctx, "/jobservice.v2.JobStatusService/WaitForJobs", &message, &answer); err != nil {
		return 0, err
	}
	// 1 satisfied, left out where it is false.
	if len(answer) >= 2 && answer[0] == 1<<3 && answer[1] == 1 {
		return 1, nil
	}
	return 0, nil
}

func (o openCalls) watch(client *grpc.ClientConn, jobSet string) (int, error) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stream, err := client.NewStream(ctx, &grpc.StreamDesc{ServerStreams: true}, "/jobservice.v2.JobStatusService/WatchJobSet")
	if err != nil {
		return 0, err
	}
	// A jobservice.v2.WatchJobSetRequest: 1 queue, 2 job_set.
	message := field(field(nil, 1, []byte(o.queue)), 2, []byte(jobSet))
	if err := stream.SendMsg(&message); err != nil && err != io.EOF {
		return 0, err
	}
	if err := stream.CloseSend(); err != nil {
		return 0, err
	}
	var answer []byte
	for jobs := 0; ; {
		if err := stream.RecvMsg(&answer); err != nil {
			return jobs, err
		}
		state, isJob := stateOfEvent(answer)
		if isJob {
			jobs++
		}
		if state >= firstTerminal {
			return jobs, nil
		}
	}
}

// Of jobservice.v2.JobState: JOB_STATE_SUCCEEDED, and those behind it, are terminal.
const firstTerminal = 6

// The state in a jobservice.v2.WatchJobSetResponse, where its event is a job (field 1), which begins with its ref (1) and its state (2).
func stateOfEvent(response []byte) (state int, isJob bool) {
	if len(response) == 0 || response[0] != 1<<3|2 {
		return 0, false
	}
	_, lengthBytes := binary.Uvarint(response[1:])
	job := response[1+lengthBytes:]
	ref, refBytes := binary.Uvarint(job[1:])
	job = job[1+refBytes+int(ref):]
	return int(job[1]), true
}

// The message with one more field of bytes.
func field(message []byte, number int, value []byte) []byte {
	message = binary.AppendUvarint(message, uint64(number<<3|2))
	message = binary.AppendUvarint(message, uint64(len(value)))
	return append(message, value...)
}
