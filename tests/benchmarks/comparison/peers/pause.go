// The same loop in Go: goroutines on a channel, and after a 429 a wait as long as Retry-After says.
//
//	pause URLS CONCURRENCY TOKEN
package main

import (
	"io"
	"log"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"time"
)

func main() {
	file, err := os.ReadFile(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	concurrency, err := strconv.Atoi(os.Args[2])
	if err != nil {
		log.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: concurrency}}
	urls := make(chan string)
	var workers sync.WaitGroup
	for range make([]struct{}, concurrency) {
		workers.Add(1)
		go func() {
			defer workers.Done()
			for url := range urls {
				for throttled := true; throttled; {
					throttled = pause(client, url, os.Args[3])
				}
			}
		}()
	}
	for _, url := range strings.Fields(string(file)) {
		urls <- url
	}
	close(urls)
	workers.Wait()
}

// pause sends one request and waits if it was throttled.
func pause(client *http.Client, url, token string) bool {
	request, err := http.NewRequest(http.MethodPost, url, strings.NewReader("{}"))
	if err != nil {
		log.Fatal(err)
	}
	request.Header.Set("Authorization", "Bearer "+token)
	request.Header.Set("Content-Type", "application/json")
	response, err := client.Do(request)
	if err != nil {
		log.Fatal(err)
	}
	io.Copy(io.Discard, response.Body)
	response.Body.Close()
	if response.StatusCode != http.StatusTooManyRequests {
		if response.StatusCode != http.StatusOK {
			log.Fatal(response.Status)
		}
		return false
	}
	seconds, err := strconv.Atoi(response.Header.Get("Retry-After"))
	if err != nil {
		seconds = 1
	}
	time.Sleep(time.Duration(seconds) * time.Second)
	return true
}
