// compiler/base/files.c and text.c: files are opened without waiting, replaced whole or not at all, and what killed
// writers leave is removed while living writers are left alone.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "compiler/base/files.h"
#include "compiler/base/text.h"

static char folder[64], target[128];

static int make_folder(void **state) {
  (void)state;
  strcpy(folder, "/tmp/nn-files-XXXXXX");
  if (!mkdtemp(folder))
    return -1;
  snprintf(target, sizeof target, "%s/target", folder);
  return 0;
}

// Calls `visit` with each name in the folder; returns their number.
static int each_name(void visit(const char *path)) {
  DIR *entries = opendir(folder);
  int n = 0;
  for (const struct dirent *entry; (entry = readdir(entries));) {
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
    if (entry->d_name[0] == '.' && (!entry->d_name[1] || entry->d_name[1] == '.'))
      continue;
    n++;
    if (visit)
      visit(path);
  }
  closedir(entries);
  return n;
}

static void remove_path(const char *path) { unlink(path); }

static int remove_folder(void **state) {
  (void)state;
  each_name(remove_path);
  return rmdir(folder);
}

static bool write_text(const void *context, int file) {
  return file_write_all(file, context, strlen(context));
}

static bool write_half(const void *context, int file) {
  file_write_all(file, context, strlen(context) / 2);
  errno = ENOMEM;
  return false;
}

static const char *contents(const char *path) {
  static char text[256];
  const char *problem;
  int file = file_open(path, FILE_REGULAR_ONLY, &problem);
  if (file < 0)
    return problem;
  ssize_t n = read(file, text, sizeof text - 1);
  text[n < 0 ? 0 : n] = 0;
  close(file);
  return text;
}

static void replaces_whole_or_not_at_all(void **state) {
  (void)state;
  assert_true(file_replace(target, write_text, "first"));
  assert_string_equal(contents(target), "first");
  assert_int_equal(chmod(target, 0640), 0);
  assert_true(file_replace(target, write_text, "second"));
  struct stat status;
  assert_int_equal(stat(target, &status), 0);
  assert_int_equal(status.st_mode & 0777, 0640);
  assert_false(file_replace(target, write_half, "third"));
  assert_int_equal(errno, ENOMEM);
  assert_string_equal(contents(target), "second");
  assert_int_equal(each_name(NULL), 1);
  assert_false(file_replace(folder, write_text, "x"));
  assert_int_equal(errno, EISDIR);
}

static void follows_links_and_writes_to_pipes(void **state) {
  (void)state;
  char link[128], pipe[128];
  snprintf(link, sizeof link, "%s/link", folder);
  snprintf(pipe, sizeof pipe, "%s/pipe", folder);
  assert_true(file_replace(target, write_text, "first"));
  assert_int_equal(symlink("target", link), 0);
  assert_true(file_replace(link, write_text, "second"));
  assert_string_equal(contents(target), "second");
  struct stat status;
  assert_int_equal(lstat(link, &status), 0);
  assert_true(S_ISLNK(status.st_mode));
  assert_int_equal(mkfifo(pipe, 0600), 0);
  int reader = open(pipe, O_RDONLY | O_NONBLOCK);
  assert_true(file_replace(pipe, write_text, "through"));
  char text[16] = "";
  assert_int_equal(read(reader, text, sizeof text), 7);
  assert_string_equal(text, "through");
  close(reader);
}

static void never_waits_for_what_is_no_file(void **state) {
  (void)state;
  const char *problem = NULL;
  alarm(20);
  assert_int_equal(mkfifo(target, 0600), 0);
  assert_int_equal(file_open(target, FILE_REGULAR_ONLY, &problem), -1);
  assert_non_null(strstr(problem, "pipe"));
  int file = file_open(target, FILE_OR_STREAM, &problem);  // nobody writes: it is empty
  char byte;
  assert_true(file >= 0);
  assert_int_equal(read(file, &byte, 1), 0);
  close(file);
  assert_int_equal(file_open(folder, FILE_OR_STREAM, &problem), -1);
  assert_non_null(strstr(problem, "folder"));
  assert_int_equal(file_open("/dev/zero", FILE_OR_STREAM, &problem), -1);
  assert_non_null(strstr(problem, "device"));
  assert_int_equal(file_open("/no/such/file", FILE_OR_STREAM, &problem), -1);
  assert_string_equal(problem, strerror(ENOENT));
  alarm(0);
}

// A pipe of a command that is read as a file, `<(command)`, does wait for what comes.
static void streams_are_read_to_their_end(void **state) {
  (void)state;
  int ends[2];
  assert_int_equal(pipe(ends), 0);
  char path[64];
  snprintf(path, sizeof path, "/dev/fd/%d", ends[0]);
  const char *problem;
  int file = file_open(path, FILE_OR_STREAM, &problem);
  assert_true(file >= 0);
  pid_t writer = fork();
  if (writer == 0) {
    usleep(100000);
    _exit(write(ends[1], "late", 4) != 4);
  }
  close(ends[1]);
  char text[16] = "";
  assert_int_equal(read(file, text, sizeof text), 4);
  assert_string_equal(text, "late");
  assert_int_equal(waitpid(writer, NULL, 0), writer);
  close(file);
  close(ends[0]);
}

static bool write_and_wait(const void *context, int file) {
  file_write_all(file, "half", 4);
  if (write(*(const int *)context, "x", 1) != 1)
    _exit(2);
  pause();
  return true;
}

// A child that stands in the middle of writing the target.
static pid_t writer_in_the_middle(void) {
  int ends[2];
  assert_int_equal(pipe(ends), 0);
  pid_t child = fork();
  if (child == 0)
    _exit(file_replace(target, write_and_wait, &ends[1]));
  char byte;
  assert_int_equal(read(ends[0], &byte, 1), 1);
  close(ends[0]);
  close(ends[1]);
  return child;
}

static void what_killed_writers_leave_is_removed(void **state) {
  (void)state;
  char own[160];
  snprintf(own, sizeof own, "%s.tmp.notes", target);  // the user's own file
  assert_true(file_replace(own, write_text, "mine"));
  pid_t killed[5], alive = writer_in_the_middle();
  for (int i = 0; i < 5; i++) {
    killed[i] = writer_in_the_middle();
    kill(killed[i], SIGKILL);
    waitpid(killed[i], NULL, 0);
  }
  // Each writer swept what the one before it left.
  assert_int_equal(each_name(NULL), 3);
  assert_true(file_replace(target, write_text, "whole"));
  assert_int_equal(each_name(NULL), 3);  // the target, the user's file, and that of the living writer
  assert_string_equal(contents(own), "mine");
  kill(alive, SIGKILL);
  waitpid(alive, NULL, 0);
  assert_true(file_replace(target, write_text, "whole again"));
  assert_int_equal(each_name(NULL), 2);
  assert_string_equal(contents(target), "whole again");
}

// Writers at once, some of them killed: the target is always one of the texts, and nothing is left.
static void writers_do_not_meet(void **state) {
  (void)state;
  pid_t children[6];
  for (int i = 0; i < 6; i++) {
    children[i] = fork();
    for (int k = 0; children[i] == 0 && k < 2000; k++)
      if (!file_replace(target, write_text, i % 2 ? "odd" : "even"))
        _exit(1);
    if (children[i] == 0)
      _exit(0);
  }
  usleep(50000);
  for (int i = 0; i < 6; i++) {
    int status;
    if (i < 4)
      kill(children[i], SIGKILL);
    waitpid(children[i], &status, 0);
    assert_true(i < 4 || (WIFEXITED(status) && WEXITSTATUS(status) == 0));
  }
  const char *text = contents(target);
  assert_true(!strcmp(text, "odd") || !strcmp(text, "even"));
  assert_true(file_replace(target, write_text, "last"));
  assert_int_equal(each_name(NULL), 1);
}

static void text_grows(void **state) {
  (void)state;
  struct text text;
  FILE *out = text_open(&text);
  assert_non_null(out);
  for (int i = 0; i < 10000; i++)
    fprintf(out, "%d,", i);
  char *all = text_close(&text);
  assert_non_null(all);
  assert_int_equal(strlen(all), 10 * 2 + 90 * 3 + 900 * 4 + 9000 * 5);
  assert_string_equal(all + strlen(all) - 5, "9999,");
  free(all);
  text_open(&text);
  all = text_close(&text);
  assert_string_equal(all, "");
  free(all);
}

int main(void) {
  const struct CMUnitTest tests[] = {
      cmocka_unit_test_setup_teardown(replaces_whole_or_not_at_all, make_folder, remove_folder),
      cmocka_unit_test_setup_teardown(follows_links_and_writes_to_pipes, make_folder, remove_folder),
      cmocka_unit_test_setup_teardown(never_waits_for_what_is_no_file, make_folder, remove_folder),
      cmocka_unit_test(streams_are_read_to_their_end),
      cmocka_unit_test_setup_teardown(what_killed_writers_leave_is_removed, make_folder, remove_folder),
      cmocka_unit_test_setup_teardown(writers_do_not_meet, make_folder, remove_folder),
      cmocka_unit_test(text_grows),
  };
  return cmocka_run_group_tests(tests, NULL, NULL);
}
