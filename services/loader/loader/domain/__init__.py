"""What a load must find before it may go on: pure rules."""
