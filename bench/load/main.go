// Load on a unary gRPC method from outside of Node: a fixed number of callers over a fixed number of connections, each calling
// again as soon as it has its answer. Prints one line of JSON: calls a second, and latencies in milliseconds.
package main

import (
	"bufio"
	"context"
	"encoding/binary"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"sort"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// Messages are bytes made beforehand: encoding them is not what is measured.
type rawCodec struct{}

func (rawCodec) Marshal(v any) ([]byte, error) { return *(v.(*[]byte)), nil }
func (rawCodec) Unmarshal(data []byte, v any) error {
	*(v.(*[]byte)) = append([]byte(nil), data...)
	return nil
}
func (rawCodec) Name() string { return "proto" }

// A jobservice.JobServiceRequest: 1 job_id, 2 job_set_id, 3 queue.
func request(jobID, jobSetID, queue string) []byte {
	var message []byte
	for i, text := range []string{jobID, jobSetID, queue} {
		message = append(message, byte((i+1)<<3|2), byte(len(text)))
		message = append(message, text...)
	}
	return message
}

// A jobservice.v2.BatchGetJobsRequest: 1 refs, each a JobRef (1 queue, 2 job_set, 3 job_id).
func batchOfRefs(jobIDs []string, jobSetID, queue string) []byte {
	var message []byte
	for _, jobID := range jobIDs {
		message = field(message, 1, field(field(field(nil, 1, []byte(queue)), 2, []byte(jobSetID)), 3, []byte(jobID)))
	}
	return message
}

// An api.JobStatusRequest: 1 job_ids.
func batch(jobIDs []string) []byte {
	var message []byte
	for _, jobID := range jobIDs {
		message = append(message, 1<<3|2, byte(len(jobID)))
		message = append(message, jobID...)
	}
	return message
}

// How many entries field 1 of a message holds, which has no other: of an api.JobStatusResponse, or a jobservice.v2.BatchGetJobsResponse.
func entriesOf(response []byte) int {
	entries := 0
	for len(response) > 1 && response[0] == 1<<3|2 {
		length, bytes := binary.Uvarint(response[1:])
		response = response[1+bytes+int(length):]
		entries++
	}
	return entries
}

// The state in a jobservice.JobServiceResponse: field 1, a small number, left out where it is 0.
func stateOf(response []byte) int {
	if len(response) >= 2 && response[0] == 1<<3 {
		return int(response[1])
	}
	return 0
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

// Connections to a server, with TLS where there is the file of the certificate that the server's comes from.
func connect(target string, connections int, ca string) []*grpc.ClientConn {
	transport := insecure.NewCredentials()
	if ca != "" {
		var err error
		if transport, err = credentials.NewClientTLSFromFile(ca, ""); err != nil {
			fail(err)
		}
	}
	var clients []*grpc.ClientConn
	for i := 0; i < connections; i++ {
		client, err := grpc.NewClient(target, grpc.WithTransportCredentials(transport),
			grpc.WithDefaultCallOptions(grpc.ForceCodec(rawCodec{})))
		if err != nil {
			fail(err)
		}
		clients = append(clients, client)
	}
	return clients
}

func main() {
	target := flag.String("target", "", "host:port")
	method := flag.String("method", "/jobservice.JobService/GetJobStatus", "full name of the method")
	queue := flag.String("queue", "bench", "queue of the jobs")
	jobSet := flag.String("job-set", "bench", "job set of the jobs")
	connections := flag.Int("connections", 4, "connections")
	callers := flag.Int("callers", 64, "concurrent calls, over all connections")
	seconds := flag.Float64("seconds", 5, "for how long")
	batchSize := flag.Int("batch", 0, "ids in one call of an api.Jobs method, or of BatchGetJobs; 0: calls are legacy polls")
	once := flag.Bool("once", false, "make each call once, and end")
	state := flag.Int("state", -1, "the state that every answer must have; -1: answers are not looked at")
	authorization := flag.String("authorization", "", "sent with every call")
	ca := flag.String("ca", "", "file with the certificate that the server's comes from; without it there is no TLS")
	isOpen := flag.Bool("open", false, "make calls that stay open, as standard input says")
	maxWait := flag.Duration("max-wait", 10*time.Minute, "how long a call that stays open waits for a job")
	opened := flag.Int("opened-per-second", 1_000, "how many calls that stay open are begun a second")
	flag.Parse()

	clients := connect(*target, *connections, *ca)
	if *isOpen {
		openCalls{clients, *queue, *maxWait, *opened}.run()
		return
	}
	var jobIDs []string
	for lines := bufio.NewScanner(os.Stdin); lines.Scan(); {
		jobIDs = append(jobIDs, lines.Text())
	}
	if len(jobIDs) == 0 || len(jobIDs) < *batchSize {
		fail(fmt.Errorf("too few job ids on standard input"))
	}
	var requests [][]byte
	for i := range jobIDs {
		if *batchSize == 0 {
			requests = append(requests, request(jobIDs[i], *jobSet, *queue))
		} else if (i+1)%*batchSize != 0 {
			continue
		} else if some := jobIDs[i+1-*batchSize : i+1]; strings.HasPrefix(*method, "/jobservice.v2.") {
			requests = append(requests, batchOfRefs(some, *jobSet, *queue))
		} else {
			requests = append(requests, batch(some))
		}
	}

	ctx, cancel := context.WithTimeout(context.Background(), time.Duration(*seconds*float64(time.Second)))
	defer cancel()
	if *authorization != "" {
		ctx = metadata.AppendToOutgoingContext(ctx, "authorization", *authorization)
	}
	var next, answered atomic.Int64
	latencies := make([][]float64, *callers)
	var wait sync.WaitGroup
	began := time.Now()
	for caller := 0; caller < *callers; caller++ {
		wait.Add(1)
		go func() {
			defer wait.Done()
			client := clients[caller%len(clients)]
			var answer []byte
			for ctx.Err() == nil {
				call := int(next.Add(1)) - 1
				if *once && call >= len(requests) {
					return
				}
				message := requests[call%len(requests)]
				sent := time.Now()
				if err := client.Invoke(ctx, *method, &message, &answer); err != nil {
					// The server may notice the end a moment before we do.
					if ctx.Err() != nil || status.Code(err) == codes.DeadlineExceeded {
						return
					}
					fail(err)
				}
				if *batchSize > 0 && entriesOf(answer) != *batchSize {
					fail(fmt.Errorf("an answer tells of %d jobs, not %d", entriesOf(answer), *batchSize))
				}
				if *state >= 0 && stateOf(answer) != *state {
					fail(fmt.Errorf("an answer has state %d, not %d", stateOf(answer), *state))
				}
				answered.Add(1)
				latencies[caller] = append(latencies[caller], float64(time.Since(sent).Microseconds())/1000)
			}
		}()
	}
	wait.Wait()
	took := time.Since(began).Seconds()

	var all []float64
	for _, some := range latencies {
		all = append(all, some...)
	}
	sort.Float64s(all)
	if len(all) == 0 {
		fail(fmt.Errorf("no call was answered"))
	}
	at := func(share float64) float64 { return all[int(share*float64(len(all)-1))] }
	json.NewEncoder(os.Stdout).Encode(map[string]float64{
		"calls": float64(answered.Load()), "callsPerSecond": float64(answered.Load()) / took, "p50Ms": at(0.5), "p99Ms": at(0.99),
	})
}
