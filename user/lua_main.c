/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lua_main.c - the reference application: the Lua interpreter and four programs in it, one after the
 * other, each in a state of its own. More code, more data and much more heap than the board has
 * memory for paging.
 *
 * Output: "== NAME", what the program prints, and a line of figures that begins with "#". All but
 * the figures is the same on every machine (lua/expected.txt). Ends with status 0 if all programs
 * came to their end.
 */
#include <stdio.h>

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>

#include "scripts.h"
#include "system.h"

struct script {
	const char *name;
	const char *source;
	lua_Integer size;
};

static const struct script scripts[] = {
	{"nbody", script_nbody, 10000},
	{"spectral", script_spectral, 80},
	{"sort", script_sort, 200000},
	{"strings", script_strings, 16},
};

/* What a program may use: nothing of it knows files or an operating system. */
static const luaL_Reg libraries[] = {
	{LUA_GNAME, luaopen_base},
	{LUA_TABLIBNAME, luaopen_table},
	{LUA_STRLIBNAME, luaopen_string},
	{LUA_MATHLIBNAME, luaopen_math},
};

/* Runs protected: argument 1 is the struct script. */
static int run_protected(lua_State *state)
{
	const struct script *script = lua_touserdata(state, 1);

	for (size_t i = 0; i < sizeof(libraries) / sizeof(libraries[0]); i++) {
		luaL_requiref(state, libraries[i].name, libraries[i].func, 1);
		lua_pop(state, 1);
	}
	if (luaL_loadstring(state, script->source) != LUA_OK)
		return lua_error(state);
	lua_pushinteger(state, script->size);
	lua_call(state, 1, 0);
	return 0;
}

static int run(const struct script *script)
{
	lua_State *state = lua_newstate(memory_resize, NULL);
	int status = LUA_ERRMEM;

	if (state != NULL) {
		lua_pushcfunction(state, run_protected);
		/* Lua only hands the pointer on. */
		lua_pushlightuserdata(state, (void *)(uintptr_t)script);
		status = lua_pcall(state, 1, 0, 0);
		if (status != LUA_OK)
			printf("%s: %s\n", script->name, lua_tostring(state, -1));
		lua_close(state);
	} else {
		printf("%s: not enough memory\n", script->name);
	}
	memory_reset();
	return status;
}

static void now(struct user_stats *stats, unsigned long *ns)
{
	(void)system_call(USER_CALL_STATS, (unsigned long)stats, 0, 0);
	*ns = (unsigned long)system_call(USER_CALL_TIME, 0, 0, 0);
}

static void print_figures(const char *name, unsigned long ns, const struct user_stats *a,
			  const struct user_stats *b)
{
	printf("# %s: %lu ms, %lu faults, %lu pages in, %lu out, victims %lu clean %lu dirty, "
	       "%lu of %lu frames free\n",
	       name, ns / 1000000, (unsigned long)(b->page_faults - a->page_faults),
	       (unsigned long)(b->pages_in - a->pages_in),
	       (unsigned long)(b->pages_out - a->pages_out),
	       (unsigned long)(b->evictions_clean - a->evictions_clean),
	       (unsigned long)(b->evictions_dirty - a->evictions_dirty),
	       (unsigned long)b->frames_free, (unsigned long)b->frames);
}

int main(void)
{
	int failed = 0;

	for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
		struct user_stats before = {0};
		struct user_stats after = {0};
		unsigned long began;
		unsigned long ended;

		printf("== %s\n", scripts[i].name);
		now(&before, &began);
		failed += run(&scripts[i]) != LUA_OK;
		now(&after, &ended);
		print_figures(scripts[i].name, ended - began, &before, &after);
	}
	printf("== %s\n", failed == 0 ? "all done" : "failed");
	return failed == 0 ? 0 : 1;
}
