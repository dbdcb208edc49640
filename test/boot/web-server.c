/* What the image FROM scratch of the boot tests runs: answers every request with who and where it is, and stops on SIGTERM. */
#include <arpa/inet.h>
#include <grp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

static void stop(int signal) {
  char text[64];
  int size = snprintf(text, sizeof text, "web server: stopped by signal %d\n", signal);
  if (write(1, text, size) < 0) _exit(1);
  _exit(0);
}

static int describe(char *text, int room, int count, char **arguments) {
  char folder[256] = "", name[256] = "";
  gid_t groups[32];
  int at = 0, found = getgroups(32, groups);
  if (getcwd(folder, sizeof folder) == NULL) folder[0] = 0;
  gethostname(name, sizeof name);
  at += snprintf(text + at, room - at, "user %d:%d\nfolder %s\nhost %s\n", getuid(), getgid(), folder, name);
  for (int index = 0; index < found; index++) at += snprintf(text + at, room - at, "group %d\n", groups[index]);
  for (int index = 0; index < count; index++) at += snprintf(text + at, room - at, "argument %s\n", arguments[index]);
  for (char **each = environ; *each != NULL; each++) at += snprintf(text + at, room - at, "env %s\n", *each);
  return at;
}

int main(int count, char **arguments) {
  static char text[16384], request[4096], head[128];
  int one = 1, server = socket(AF_INET, SOCK_STREAM, 0);
  struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(80)};
  signal(SIGTERM, stop);
  signal(SIGUSR1, stop);
  signal(SIGPIPE, SIG_IGN);
  setsockopt(server, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
  if (bind(server, (struct sockaddr *)&address, sizeof address) != 0 || listen(server, 8) != 0) {
    perror("web server");
    return 1;
  }
  printf("web server: ready\n");
  fflush(stdout);
  for (;;) {
    int client = accept(server, NULL, NULL);
    if (client < 0) continue;
    if (read(client, request, sizeof request) > 0) {
      if (strstr(request, "GET /crash") == request) abort();
      int size = describe(text, sizeof text, count, arguments);
      int headSize = snprintf(head, sizeof head, "HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n", size);
      if (write(client, head, headSize) < 0 || write(client, text, size) < 0) perror("web server");
    }
    close(client);
  }
}
