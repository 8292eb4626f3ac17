// What both servers tell: that they are ready, and at SIGUSR2 what they have used until then.
export function serve(port) {
  process.on('SIGUSR2', () => {
    const { user, system } = process.cpuUsage();
    console.log(JSON.stringify({ event: 'used', microseconds: user + system, memory: process.memoryUsage().rss }));
  });
  console.log(`ready pid=${process.pid} port=${port}`);
}
